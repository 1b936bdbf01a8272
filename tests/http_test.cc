// Runs tests/http/*.test against a real server over a small shop that was imported and trained. A
// file's format:
//
//   # free text
//   key NAME               following requests carry this key: none, read, write, admin, wrong
//   POST /v1/events        a request; its body is the line after it, if that starts with { [ or "
//   = 200                  the status
//   ~ TEXT                 the answer (headers and body) contains the text; "! TEXT": it does not
//   with HEADER: VALUE     the next request has this header
//   raw TEXT               bytes as they are, with \r \n escaped, on a connection of their own
//   disk full, disk free   from here on
//
// Requests and bodies may hold <c*N>: the character c, N times.
//
// All files share one server and run in the order of their names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "engine/engine.h"
#include "server/http_testing.h"
#include "server/server.h"
#include "tests/fault_files.h"

namespace vitrine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecrets[] = {"read-key-0123456789", "write-key-0123456789",
                                    "admin-key-0123456789"};

// Two tastes: people of each buy from their own half of the items, so lists can be told apart.
std::vector<Event> small_shop() {
  std::vector<Event> events;
  for (int user = 0; user < 40; ++user) {
    for (int step = 0; step < 6; ++step) {
      Event event;
      event.id = "e" + std::to_string(user) + "-" + std::to_string(step);
      event.user = "u" + std::to_string(user);
      event.item = (user % 2 == 0 ? "a" : "b") + std::to_string((user / 2 + step * step) % 10);
      event.type = EventType::kPurchase;
      event.time = 1'600'000'000'000 + (step * 40 + user) * kDay / 40;
      event.order = event.user + "/" + std::to_string(step / 2);
      events.push_back(std::move(event));
    }
  }
  return events;
}

class Shop {
 public:
  Shop() : folder_(fs::path(testing::TempDir()) / "vitrine-http"), pool_(2) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    setenv("VITRINE_TEST_READ", kSecrets[0], 1);
    setenv("VITRINE_TEST_WRITE", kSecrets[1], 1);
    setenv("VITRINE_TEST_ADMIN", kSecrets[2], 1);
    Config config = config_from_table({}, "").value();
    config.shop.folder = (folder_ / "shop").string();
    config.server.port = 0;
    config.server.keys = {"r:read:env:VITRINE_TEST_READ", "w:write:env:VITRINE_TEST_WRITE",
                          "a:admin:env:VITRINE_TEST_ADMIN"};
    config.server.body_bytes_max = 100'000;
    config.server.batch_max = 100;
    config.server.n_max = 50;
    config.train.models = {"popularity", "item_knn", "ease", "together"};
    const Run run{Random(1), pool_, monitor_};
    auto engine = Engine::open(config, files_, OpenMode::kServe, run);
    EXPECT_TRUE(engine.ok()) << engine.error().message;
    engine_ = *std::move(engine);
    EXPECT_TRUE(engine_->add_events(small_shop()).ok());
    auto trained = engine_->train(run, {.force = true, .reason = "first", .validate = false});
    EXPECT_TRUE(trained.ok()) << trained.error().message;
    auto server = Server::start(*engine_, config.server);
    EXPECT_TRUE(server.ok()) << server.error().message;
    server_ = *std::move(server);
  }
  ~Shop() {
    server_.reset();
    engine_.reset();
    fs::remove_all(folder_);
  }
  int port() const { return server_->port(); }
  FaultFiles& files() { return files_; }

 private:
  fs::path folder_;
  FaultFiles files_;
  ThreadPool pool_;
  QuietMonitor monitor_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Server> server_;
};

// Sends bytes on a new connection and reads until the server closes it or is silent.
std::string exchange(int port, const std::string& bytes) {
  Client client(port);
  EXPECT_TRUE(client.connected());
  client.send_all(bytes);
  return client.read_all();
}

std::string unescape(std::string text) {
  for (const auto& [from, to] : {std::pair{"\\r", "\r"}, std::pair{"\\n", "\n"}}) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; ++at) {
      text.replace(at, 2, to);
    }
  }
  return text;
}

// <c*N> becomes N times c.
std::string repeat_marked(std::string text) {
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos; ++at) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos || at + 3 > end || text[at + 2] != '*') continue;
    const auto times = std::stoul(text.substr(at + 3, end - at - 3));
    text.replace(at, end + 1 - at, std::string(times, text[at + 1]));
  }
  return text;
}

class HttpCase : public testing::TestWithParam<fs::path> {
 protected:
  static void SetUpTestSuite() { shop = std::make_unique<Shop>(); }
  static void TearDownTestSuite() { shop.reset(); }
  static std::unique_ptr<Shop> shop;

  void send_request() {
    if (request_.empty()) return;
    std::string text = request_ + " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n";
    if (key_ != "none") {
      const char* secret = key_ == "read"    ? kSecrets[0]
                           : key_ == "write" ? kSecrets[1]
                           : key_ == "admin" ? kSecrets[2]
                                             : "not-a-key-at-all-0000";
      text += std::string("Authorization: Bearer ") + secret + "\r\n";
    }
    text += std::exchange(header_, {});
    if (!body_.empty()) text += "Content-Length: " + std::to_string(body_.size()) + "\r\n";
    answer_ = exchange(shop->port(), text + "\r\n" + body_);
    shown_ = request_;
    request_.clear();
    body_.clear();
  }

  void check(const std::string& line) {
    send_request();
    const std::string text = line.substr(2);
    const std::string where = GetParam().filename().string() + ":" + std::to_string(number_) +
                              ": " + shown_ + "\n" + line + "\nanswer:\n" + answer_.substr(0, 3000);
    if (line[0] == '=') {
      EXPECT_EQ(answer_.substr(0, 12), "HTTP/1.1 " + text) << where;
    } else {
      EXPECT_EQ(answer_.find(text) != std::string::npos, line[0] == '~') << where;
    }
  }

  std::string key_ = "admin", header_, request_, body_, answer_, shown_;
  int number_ = 0;
};

std::unique_ptr<Shop> HttpCase::shop;

TEST_P(HttpCase, AnswersAsItShould) {
  std::ifstream in(GetParam());
  std::string line;
  while (std::getline(in, line)) {
    ++number_;
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '{' || line[0] == '[' || line[0] == '"') {
      body_ = repeat_marked(line);
    } else if (line[1] == ' ' && std::string("=~!").find(line[0]) != std::string::npos) {
      check(line);
    } else if (line.starts_with("key ")) {
      send_request();
      key_ = line.substr(4);
    } else if (line == "disk full" || line == "disk free") {
      send_request();
      shop->files().set_space(line == "disk full" ? 0 : FaultFiles::kUnlimited);
    } else if (line.starts_with("with ")) {
      send_request();
      header_ = line.substr(5) + "\r\n";
    } else if (line.starts_with("raw ")) {
      send_request();
      shown_ = line;
      answer_ = exchange(shop->port(), unescape(line.substr(4)));
    } else {
      send_request();
      request_ = repeat_marked(line);
    }
  }
  send_request();
}

std::vector<fs::path> cases() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(VITRINE_SOURCE_DIR "/tests/http")) {
    if (entry.path().extension() == ".test") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Http, HttpCase, testing::ValuesIn(cases()), [](const auto& param) {
  std::string name = param.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

TEST(Server, RefusesToStartOpenOrOnATakenPort) {
  ThreadPool pool(1);
  QuietMonitor monitor;
  const fs::path folder = fs::path(testing::TempDir()) / "vitrine-http-start";
  fs::remove_all(folder);
  Config config = config_from_table({}, "").value();
  config.shop.folder = folder.string();
  auto engine =
      Engine::open(config, real_files(), OpenMode::kServe, vitrine::Run{Random(1), pool, monitor});
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  ServerOptions options;
  options.port = 0;
  EXPECT_NE(Server::start(**engine, options).error().message.find("no API keys"),
            std::string::npos);
  options.development = true;
  options.host = "0.0.0.0";
  EXPECT_NE(Server::start(**engine, options).error().message.find("loopback"), std::string::npos);
  options.host = "127.0.0.1";
  auto first = Server::start(**engine, options);
  ASSERT_TRUE(first.ok()) << first.error().message;
  options.port = (*first)->port();
  const auto second = Server::start(**engine, options);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find(std::to_string(options.port)), std::string::npos);
  first->reset();
  engine->reset();
  fs::remove_all(folder);
}

}  // namespace
}  // namespace vitrine
