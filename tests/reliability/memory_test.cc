// Too little memory: whatever the limit, the program does its work or says that memory ran out, and
// what it acknowledged is there.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "engine/live_state.h"
#include "store/event_log.h"
#include "tests/reliability/client.h"
#include "tests/reliability/form.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr int kRows = 60'000, kBatch = 2'000, kBatches = 30;
constexpr auto kPatience = std::chrono::seconds(120);  // of a program that hangs

// The program within so many megabytes of data, in `folder`.
class Child {
 public:
  Child(const TempFolder& folder, std::vector<std::string> words, int megabytes)
      : says_(folder.path() + "/says") {
    words.insert(words.begin(), VITRINE_BINARY_DIR "/vitrine");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const rlim_t bytes = static_cast<rlim_t>(megabytes) << 20;
    const rlimit data{bytes, bytes};
    const int out = ::open(says_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (::chdir(folder.path().c_str()) != 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0 ||
        ::setrlimit(RLIMIT_DATA, &data) != 0)
      ::_exit(99);
    ::execv(arguments[0], arguments.data());
    ::_exit(98);
  }
  ~Child() {
    if (pid_ > 0 && !ended_) ::kill(pid_, SIGKILL), (void)::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool running() {
    if (!ended_) ended_ = ::waitpid(pid_, &status_, WNOHANG) == pid_;
    return !ended_;
  }
  void stop() { ::kill(pid_, SIGTERM); }

  // True when it did what it should, false when it said that memory ran out.
  bool finish() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (running() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(ended_) << "it hangs: " << says();
    if (!ended_) return false;
    EXPECT_TRUE(WIFEXITED(status_)) << "signal " << WTERMSIG(status_) << ": " << says();
    const int status = WEXITSTATUS(status_);
    EXPECT_TRUE(status == 0 || status == 1) << status << ": " << says();
    EXPECT_TRUE(status == 0 || says().find("memory") != std::string::npos) << says();
    return status == 0;
  }

  std::string says() const {
    const auto text = read_file(real_files(), says_);
    return text.ok() ? *text : "";
  }

 private:
  const std::string says_;
  pid_t pid_ = 0;
  int status_ = 0;
  bool ended_ = false;
};

// How often each payload is in the log.
std::multiset<std::string> logged(const TempFolder& folder) {
  std::multiset<std::string> found;
  const auto log = open_file_log_to_read(real_files(), folder.path() + "/shop/log");
  if (!log.ok()) return found;
  const EventTypes types;
  const Status read = (*log)->read(1, [&](const LogRecord& record) -> Status {
    Event event;
    VT_TRY(decode_event(record.payload, types, event));
    found.insert(event.user + "/" + event.item + "/" + std::to_string(event.time));
    return {};
  });
  EXPECT_TRUE(read.ok()) << read.error().message;
  return found;
}

void write_shop(const TempFolder& folder) {
  std::ofstream toml(folder.path() + "/vitrine.toml");
  toml << "[[sources]]\npath = \"events.csv\"\n"
          "[train]\nmodels = [\"popularity\", \"item_knn\", \"ease\"]\n";
  std::ofstream events(folder.path() + "/events.csv");
  events << "user,item,type,time,order\n";
  for (std::int64_t i = 0; i < kRows; ++i)
    events << "u" << i * 7919 % 5'000 << ",i" << i * 104'729 % 900 << ",purchase,"
           << 1'700'000'000 + 60 * i << ",o" << i / 3 << "\n";
}

// Megabytes from what the program cannot begin with to what is plenty.
std::vector<int> limits() {
  std::vector<int> all;
  for (int megabytes = 12; megabytes < 700; megabytes += megabytes / (long_form() ? 12 : 4))
    all.push_back(megabytes);
  all.push_back(2'000);
  return all;
}

TEST(Memory, ImportAndTrainDoItOrSayThatMemoryRanOut) {
  if (kSanitized)
    GTEST_SKIP() << "NOT TESTED: limits of memory; a sanitizer needs more than any of them";
  const TempFolder folder;
  write_shop(folder);
  std::multiset<std::string> before;
  for (const char* command : {"import", "train"}) {
    std::set<bool> did;
    for (const int megabytes : limits()) {
      SCOPED_TRACE(std::string(command) + " in " + std::to_string(megabytes) + " MB");
      did.insert(Child(folder, {command, "--quiet"}, megabytes).finish());
      if (HasFailure()) return;
      const auto now = logged(folder);
      ASSERT_EQ(now.size(), std::set<std::string>(now.begin(), now.end()).size());
      ASSERT_TRUE(std::includes(now.begin(), now.end(), before.begin(), before.end()));
      before = now;
    }
    EXPECT_EQ(did.size(), 2U) << "the limits are too low, or none is";
  }
  EXPECT_EQ(before.size(), static_cast<std::size_t>(kRows));
}

std::string batch(int from) {
  std::string body = "[";
  for (int i = from; i < from + kBatch; ++i)
    body += (i > from ? "," : "") + std::string(R"({"id":"e)") + std::to_string(i) +
            R"(","user":"u)" + std::to_string(i) + R"(","item":"i)" + std::to_string(i) +
            R"(","type":"view","time":1700000000})";
  return body + "]";
}

// Fills it until it refuses, or there is enough. Returns how many batches were acknowledged.
int fill(Child& child, int port) {
  int acknowledged = 0;
  for (int b = 0; b < kBatches && child.running(); ++b) {
    const int status = ask(port, "POST", "/v1/events", batch(b * kBatch));
    EXPECT_TRUE(status == 200 || status == 503 || status == 507 || status == 0) << status;
    const int list = ask(port, "POST", "/v1/recommendations", R"({"user":"u1","n":5})");
    EXPECT_TRUE(list == 200 || list == 503 || list == 507 || list == 0) << list;
    if (status != 200) break;
    ++acknowledged;
  }
  return acknowledged;
}

TEST(Memory, AServerRefusesRequestsAndLosesNothing) {
  if (kSanitized)
    GTEST_SKIP() << "NOT TESTED: limits of memory; a sanitizer needs more than any of them";
  bool full = false, refused = false;
  for (const int megabytes : limits()) {
    if (megabytes < 60) continue;
    SCOPED_TRACE("serve in " + std::to_string(megabytes) + " MB");
    const TempFolder folder;
    Child child(folder, {"serve", "--development", "--port", "0", "--set", "server.threads=2"},
                megabytes);
    int port = 0, acknowledged = 0;
    while (child.running() && (port = port_of(child.says())) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (port != 0) {
      acknowledged = fill(child, port);
      child.stop();
    }
    (void)child.finish();
    if (HasFailure()) return;
    const auto found = logged(folder);
    for (int i = 0; i < acknowledged * kBatch; ++i) {
      const std::string n = std::to_string(i);
      ASSERT_EQ(found.count("u" + n + "/i" + n + "/1700000000000"), 1U) << "event " << i;
    }
    full |= acknowledged == kBatches;
    refused |= acknowledged < kBatches;
  }
  EXPECT_TRUE(full && refused) << "the limits are too low, or none is";
}

// Ten times as many people as there is room for come and come again.
TEST(Memory, TheLiveStateKeepsItsBoundAndItsPeople) {
  constexpr std::uint64_t kBytes = 1 << 20;
  constexpr std::uint32_t kEvents = 4;
  const auto store = open_state_store("memory:");
  const EventTypes types;
  const auto live = LiveState::open({}, types, **store, {kHistoryMax, kBytes});
  ASSERT_TRUE(live.ok());
  std::uint64_t sequence = 0;
  std::uint32_t people = 0, room = 0;
  const auto come = [&](std::uint32_t person) {
    Event event;
    event.type = EventType::kPurchase;
    event.time = static_cast<Timestamp>(++sequence);
    ASSERT_TRUE(
        (*live)->apply(sequence, event, {UserIndex{person}, {}}, ItemIndex{person % 97}).ok());
    ASSERT_LE((*live)->stats().memory_bytes, 2 * kBytes);
  };
  for (; room == 0 || people < 10 * room; ++people) {
    come(people);
    if (room == 0 && (*live)->stats().evictions > 0) room = people;
  }
  for (std::uint32_t again = 1; again < kEvents; ++again)
    for (std::uint32_t person = 0; person < people; ++person) come(person);
  for (std::uint32_t person = 0; person < people; ++person) {
    const auto history = (*live)->history({UserIndex{person}, {}});
    ASSERT_TRUE(history.ok());
    ASSERT_EQ(history->size(), kEvents) << person;
    for (const HistoryEvent& event : *history) ASSERT_EQ(raw(event.item), person % 97);
  }
}

}  // namespace
}  // namespace vitrine
