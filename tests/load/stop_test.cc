// SIGTERM to `vitrine serve` under load: what was asked is answered, nobody new is served, it exits
// with 0, and every event that it acknowledged is there when it runs again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/http_testing.h"
#include "tests/temp_folder.h"

namespace vitrine {
namespace {

constexpr int kWriters = 4, kAcknowledged = 400;

// `vitrine serve` in a folder of its own.
class Served {
 public:
  explicit Served(const std::string& folder) {
    int ends[2];
    VT_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      if (::chdir(folder.c_str()) == 0)
        ::execl(VITRINE_BINARY_DIR "/vitrine", "vitrine", "serve", "--development", "--port", "0",
                nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    said_ = ends[0];
    const std::string begin = hear("listening on http://127.0.0.1:");
    port_ = std::atoi(hear(" ").c_str());
    EXPECT_GT(port_, 0) << begin;
  }
  ~Served() {
    if (child_ > 0) exit_status(SIGKILL);
    ::close(said_);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  int port() const { return port_; }
  void send(int signal) const { ::kill(child_, signal); }
  int exit_status(int signal = 0) {
    if (signal != 0) send(signal);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  std::string hear(const std::string& end) const {
    std::string text;
    char c = 0;
    while (!text.ends_with(end) && ::read(said_, &c, 1) == 1) text += c;
    return text;
  }

  pid_t child_ = 0;
  int said_ = -1, port_ = 0;
};

std::string event_of(int writer, int i) {
  const std::string number = std::to_string(writer) + "-" + std::to_string(i);
  return R"({"id": "e)" + number + R"(", "user": "w)" + std::to_string(writer) +
         R"(", "item": "i)" + number + R"(", "type": "view"})";
}

// Logs events one by one until the server has stopped; what it acknowledged.
std::set<std::string> write_until_stopped(int port, int writer, std::atomic<int>& acknowledged) {
  std::set<std::string> items;
  Client client(port);
  for (int i = 0; client.send_all(post("/v1/events", event_of(writer, i))); ++i) {
    const std::string answer = client.read_answer();
    if (answer.empty()) break;  // it came after the signal and was not read any more
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200") << answer;
    items.insert("\"i" + std::to_string(writer) + "-" + std::to_string(i) + "\"");
    ++acknowledged;
  }
  return items;
}

// Asks for a state that does not come, behind a question whose answer says that this one was read.
void ask_for_long(Client& client) {
  client.send_all(get("/healthz") + post("/v1/recommendations",
                                         R"({"user": "w0", "min_sequence": 900000})",
                                         "X-Deadline-Ms: 1500\r\n"));
  EXPECT_EQ(status_of(client.read_answer()), "HTTP/1.1 200");
}

void expect_nobody_new(int port) {
  for (int i = 0; i < 2'000; ++i) {
    Client late(port);
    if (!late.connected()) return;
    late.send_all(get("/healthz"));
    const std::string status = status_of(late.read_answer());
    EXPECT_TRUE(status.empty() || status == "HTTP/1.1 503" || status == "HTTP/1.1 200") << status;
    ::usleep(1'000);
  }
  ADD_FAILURE() << "it still accepts connections";
}

void expect_logged(int port, int writer, const std::set<std::string>& items) {
  Client client(port);
  client.send_all(get("/v1/users/w" + std::to_string(writer) + "/history"));
  const std::string history = client.read_answer();
  ASSERT_EQ(status_of(history), "HTTP/1.1 200") << history;
  for (const std::string& item : items)
    EXPECT_NE(history.find(item), std::string::npos) << item << " was acknowledged and is lost";
}

TEST(Stop, LosesNothingThatWasAskedOrAcknowledged) {
  const TempFolder folder;
  Served served(folder.path());
  std::atomic<int> acknowledged{0};
  std::vector<std::set<std::string>> items(kWriters);
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      items[static_cast<std::size_t>(w)] = write_until_stopped(served.port(), w, acknowledged);
    });
  }
  while (acknowledged < kAcknowledged) ::usleep(1'000);
  std::deque<Client> asking;
  for (int i = 0; i < 8; ++i) ask_for_long(asking.emplace_back(served.port()));
  Client idle(served.port());
  served.send(SIGTERM);
  expect_nobody_new(served.port());
  EXPECT_EQ(idle.read_all(), "");
  for (Client& client : asking) {
    const std::string answer = client.read_answer();
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200") << answer;
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(served.exit_status(), 0);

  Served again(folder.path());
  for (int w = 0; w < kWriters; ++w)
    expect_logged(again.port(), w, items[static_cast<std::size_t>(w)]);
  EXPECT_EQ(again.exit_status(SIGTERM), 0);
}

}  // namespace
}  // namespace vitrine
