// Thousands of clients that say nothing, and others that are slow on purpose, beside one that asks:
// the server has one thread, so whoever held it would end the test.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "server/http.h"
#include "server/http_testing.h"

namespace vitrine {
namespace {

constexpr std::size_t kIdleWanted = 10'000, kIdleLeast = 1'000, kOtherFiles = 200;
constexpr std::size_t kBigAnswer = 8 << 20;  // more than the sockets hold

std::unique_ptr<HttpServer> start(std::size_t connections_max) {
  HttpServer::Callbacks callbacks;
  callbacks.way = [](const HttpRequest& request) {
    return request.path == "/blocking" ? HttpWay::kBlocking : HttpWay::kInTurn;
  };
  callbacks.handle_later = [](const HttpRequest&, const auto&) {};
  callbacks.handle = [](const HttpRequest& request) {
    HttpResponse response;
    response.body = request.path == "/big" ? std::string(kBigAnswer, 'x') : request.body;
    return response;
  };
  callbacks.failed = [](int status, std::string_view message) {
    return HttpResponse{status, "text/plain", std::string(message), {}};
  };
  HttpLimits limits{.body_bytes_max = 10'000,
                    .request_seconds_max = 600,
                    .connections_max = static_cast<int>(connections_max)};
  auto server = HttpServer::start("127.0.0.1", 0, 1, limits, std::move(callbacks));
  EXPECT_TRUE(server.ok()) << server.error().message;
  return *std::move(server);
}

void expect_echo(Client& client, const std::string& path, int i) {
  const std::string body = "number " + std::to_string(i);
  ASSERT_TRUE(client.send_all(post(path, body)));
  const std::string answer = client.read_answer();
  ASSERT_TRUE(answer.starts_with("HTTP/1.1 200") && answer.ends_with(body)) << answer;
}

// How many connections this process can hold both ends of.
std::size_t connections_possible() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2 * kIdleWanted + kOtherFiles);
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur < kOtherFiles ? 0 : (limit.rlim_cur - kOtherFiles) / 2;
}

TEST(Clients, ThousandsThatSayNothingHoldNothingUp) {
  const std::size_t count = std::min(kIdleWanted, connections_possible());
  if (count < kIdleLeast) {
    GTEST_SKIP() << "NOT TESTED: this process may hold " << count << " connections open, "
                 << kIdleLeast << " are needed; raise the hard limit of open files (ulimit -Hn)";
  }
  const auto server = start(count + 10);
  Client asking(server->port());
  std::deque<Client> idle;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(idle.emplace_back(server->port()).connected()) << i;
    if (i % 100 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_echo(asking, "/", static_cast<int>(i)));
  }
  RecordProperty("connections", static_cast<int>(count));
  for (int i = 0; i < 500; ++i) ASSERT_NO_FATAL_FAILURE(expect_echo(asking, "/", i));
  for (std::size_t i = 0; i < count; i += 97)  // they were only silent
    ASSERT_NO_FATAL_FAILURE(expect_echo(idle[i], "/", static_cast<int>(i)));
}

TEST(Clients, SlowOnesHoldNoThread) {
  const auto server = start(1'000);
  std::deque<Client> dripping, half, deaf;
  const std::string drips = get("/drip", "X-Filler: " + std::string(400, 'x') + "\r\n");
  const std::string body = "of ten kilobytes, some";
  const std::string whole = post("/half", body);
  for (int i = 0; i < 50; ++i) {
    dripping.emplace_back(server->port());
    half.emplace_back(server->port()).send_all(whole.substr(0, whole.size() - body.size() / 2));
    deaf.emplace_back(server->port()).send_all(get(i % 2 == 0 ? "/big" : "/blocking"));
  }
  Client asking(server->port());
  for (std::size_t i = 0; i < drips.size(); ++i) {
    for (Client& client : dripping) ASSERT_TRUE(client.send_all(drips.substr(i, 1)));
    ASSERT_NO_FATAL_FAILURE(expect_echo(asking, i % 8 == 0 ? "/blocking" : "/", 0));
  }
  for (Client& client : dripping) EXPECT_EQ(status_of(client.read_answer()), "HTTP/1.1 200");
  for (Client& client : half) {
    client.send_all(whole.substr(whole.size() - body.size() / 2));
    EXPECT_TRUE(client.read_answer().ends_with(body));
  }
  for (std::size_t i = 0; i < 4; ++i) {  // who reads after all gets it whole
    const std::string answer = deaf[i].read_answer();
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200");
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + std::string(i % 2 == 0 ? kBigAnswer : 0, 'x')));
  }
}

}  // namespace
}  // namespace vitrine
