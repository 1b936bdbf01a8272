#include "server/http.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "server/http_testing.h"

namespace vitrine {
namespace {

constexpr HttpLimits kLimits{
    .body_bytes_max = 10'000, .request_seconds_max = 5, .connections_max = 1000};

// Closed until it is opened; counts who came. Has threads for what is done elsewhere.
class Door {
 public:
  void elsewhere(std::function<void()> job) {
    std::lock_guard lock(mutex_);
    threads_.emplace_back(std::move(job));
  }
  void wait_for_all() {
    std::lock_guard lock(mutex_);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void come() {
    std::lock_guard lock(mutex_);
    ++came_;
    changed_.notify_all();
  }
  void pass() {
    come();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return came_ >= count; });
  }
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int came_ = 0;
  bool open_ = false;
  std::vector<std::thread> threads_;
};

// Answers the path and the size of the body, then "END". /wait blocks behind the door.
std::unique_ptr<HttpServer> start(Door& door, const HttpLimits& limits = kLimits) {
  HttpServer::Callbacks callbacks;
  callbacks.way = [](const HttpRequest& r) {
    if (r.path == "/later") return HttpWay::kLater;
    return r.path == "/wait" || r.path == "/break" ? HttpWay::kBlocking : HttpWay::kInTurn;
  };
  callbacks.handle_later = [&door](const HttpRequest& r, const auto& done) {
    door.elsewhere([body = r.body, done] { done({200, "", "later " + body + " END", {}}); });
  };
  callbacks.handle = [&door](const HttpRequest& request) {
    if (request.path == "/wait") door.pass();
    if (request.path == "/break" || request.path == "/throw") throw std::runtime_error("broken");
    HttpResponse response;
    response.body = request.path + " " + std::to_string(request.body.size()) + " END";
    return response;
  };
  callbacks.failed = [&door](int status, std::string_view message) {
    door.come();
    HttpResponse response;
    response.status = status;
    response.body = std::string(message) + " END";
    return response;
  };
  auto server = HttpServer::start("127.0.0.1", 0, 2, limits, std::move(callbacks));
  EXPECT_TRUE(server.ok()) << server.error().message;
  return *std::move(server);
}

TEST(Http, PipelinedRequestsAreAnsweredInOrder) {
  Door door;
  const auto server = start(door);
  Client client(server->port());
  client.send_all(get("/1") + post("/2", "abc") + get("/3", "Connection: close\r\n"));
  EXPECT_NE(client.read_until("END").find("/1 0"), std::string::npos);
  EXPECT_NE(client.read_until("END").find("/2 3"), std::string::npos);
  EXPECT_NE(client.read_until("END").find("/3 0"), std::string::npos);
  EXPECT_EQ(client.read_all(), "");
}

TEST(Http, ChunksOldVersionsHeadAndExpectations) {
  Door door;
  const auto server = start(door);
  Client chunks(server->port());
  chunks.send_all(
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_NE(chunks.read_until("END").find("/c 5"), std::string::npos);
  // A body whose end nobody knows must not become the next request.
  for (const char* coding : {"gzip", "chunked, gzip", "identity"}) {
    Client odd(server->port());
    odd.send_all(std::string("POST /o HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ") + coding +
                 "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string answer = odd.read_all();
    EXPECT_EQ(status_of(answer), "HTTP/1.1 400") << coding;
    EXPECT_EQ(answer.find("smuggled"), std::string::npos) << coding;
  }
  Client old(server->port());
  old.send_all("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_EQ(status_of(old.read_all()), "HTTP/1.0 200");
  Client head(server->port());
  head.send_all("HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string headers = head.read_all();
  EXPECT_NE(headers.find("Content-Length: 8"), std::string::npos) << headers;
  EXPECT_TRUE(headers.ends_with("\r\n\r\n"));
  Client expecting(server->port());
  expecting.send_all(
      "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(expecting.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  expecting.send_all("ok");
  EXPECT_NE(expecting.read_until("END").find("/e 2"), std::string::npos);
}

// Sockets that a child of this process has.
int sockets_of_a_child() {
  FILE* const child = popen("ls -l /proc/self/fd | grep -c socket", "r");
  int count = -1;
  EXPECT_EQ(fscanf(child, "%d", &count), 1);
  pclose(child);
  return count;
}

TEST(Http, ChildrenGetNoSockets) {
  Door door;
  const int before = sockets_of_a_child();
  const auto server = start(door);
  Client client(server->port());
  client.send_all(get("/x"));
  ASSERT_NE(client.read_answer().find("200"), std::string::npos);
  EXPECT_EQ(sockets_of_a_child(), before + 1) << "the client of this test has one";
}

TEST(Http, TooLargeABodyIsRefusedEvenWhileItIsSent) {
  Door door;
  const auto server = start(door);
  Client declared(server->port());
  declared.send_all(post("/", std::string(3'000'000, 'x')));
  EXPECT_EQ(status_of(declared.read_until("END")), "HTTP/1.1 413");
  Client chunks(server->port());
  chunks.send_all("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" +
                  std::string(20'000, 'x'));
  EXPECT_EQ(status_of(chunks.read_until("END")), "HTTP/1.1 413");
  Client headers(server->port());
  headers.send_all(get("/", "A: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_EQ(status_of(headers.read_until("END")), "HTTP/1.1 431");
}

TEST(Http, ASlowClientIsCutOff) {
  Door door;
  HttpLimits limits = kLimits;
  limits.request_seconds_max = 1;
  const auto server = start(door, limits);
  Client header(server->port()), body(server->port());
  header.send_all("GET / HTTP/1.1\r\nHost:");
  body.send_all("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab");
  EXPECT_EQ(header.read_all(), "");
  EXPECT_EQ(body.read_all(), "");
}

TEST(Http, ManyConnectionsAtOnceAndNoneBeyondTheLimit) {
  Door door;
  HttpLimits limits = kLimits;
  limits.connections_max = 200;
  const auto server = start(door, limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    ASSERT_TRUE(clients.back()->send_all(get("/" + std::to_string(i))));
  }
  for (int i = 0; i < 200; ++i) {
    const std::string answer = clients[static_cast<std::size_t>(i)]->read_until("END");
    EXPECT_NE(answer.find("/" + std::to_string(i) + " 0 END"), std::string::npos) << answer;
  }
  {
    Client beyond(server->port());
    beyond.send_all(get("/"));
    EXPECT_EQ(status_of(beyond.read_until("END")), "HTTP/1.1 503");
  }
  clients.clear();
  // Their places are free as soon as the server has seen them go.
  std::string answer;
  for (int i = 0; i < 500 && status_of(answer) != "HTTP/1.1 200"; ++i) {
    Client again(server->port());
    again.send_all(get("/"));
    answer = again.read_until("END");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(status_of(answer), "HTTP/1.1 200");
}

TEST(Http, WhatBlocksNeitherHoldsUpTheRestNorPilesUp) {
  Door door;
  HttpLimits limits = kLimits;
  limits.waiting_max = 20;
  const auto server = start(door, limits);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 21; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send_all(post("/wait", "x"));
  }
  door.wait_for(kBlockingThreads + 1);  // on every thread one, and the one that was refused
  Client other(server->port());
  other.send_all(get("/quick"));
  EXPECT_NE(other.read_until("END").find("/quick"), std::string::npos);
  door.open();
  int refused = 0;
  for (auto& client : clients) {
    const std::string answer = client->read_until("END");
    if (status_of(answer) == "HTTP/1.1 200") continue;
    EXPECT_EQ(status_of(answer), "HTTP/1.1 429");
    EXPECT_NE(answer.find("Retry-After: 1"), std::string::npos);
    ++refused;
  }
  EXPECT_EQ(refused, 1);
}

// What is answered in time is answered; the rest is told to come back, and nobody is forgotten.
TEST(Http, WhoWaitedTooLongIsTurnedAway) {
  HttpServer::Callbacks callbacks;
  callbacks.way = [](const HttpRequest& request) {
    return request.path == "/healthz" ? HttpWay::kAtOnce : HttpWay::kInTurn;
  };
  callbacks.handle = [](const HttpRequest& request) {
    if (request.path == "/slow") std::this_thread::sleep_for(std::chrono::milliseconds(10));
    HttpResponse response;
    response.body = "END";
    return response;
  };
  callbacks.failed = [](int status, std::string_view) {
    HttpResponse response;
    response.status = status;
    response.body = "END";
    return response;
  };
  HttpLimits limits = kLimits;
  limits.queue_ms_max = 200;
  auto started = HttpServer::start("127.0.0.1", 0, 1, limits, std::move(callbacks));
  ASSERT_TRUE(started.ok());
  const auto server = *std::move(started);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(server->port()));
    clients.back()->send_all(get("/slow"));
  }
  Client probe(server->port());
  const auto asked = std::chrono::steady_clock::now();
  probe.send_all(get("/healthz"));
  EXPECT_EQ(status_of(probe.read_until("END")), "HTTP/1.1 200");
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(1));
  int answered = 0, refused = 0;
  for (auto& client : clients) {
    const std::string answer = client->read_until("END");
    answered += status_of(answer) == "HTTP/1.1 200" ? 1 : 0;
    const bool told = status_of(answer) == "HTTP/1.1 429";
    refused += told && answer.find("Retry-After: 1") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(answered + refused, 200);
  EXPECT_GE(answered, 20);
  EXPECT_GE(refused, 50);
  probe.send_all(get("/slow"));
  EXPECT_EQ(status_of(probe.read_until("END")), "HTTP/1.1 200");
}

TEST(Http, AClientThatNeverReadsIsCutOff) {
  HttpServer::Callbacks callbacks;
  callbacks.way = [](const HttpRequest&) { return HttpWay::kInTurn; };
  callbacks.handle = [](const HttpRequest& request) {
    HttpResponse response;
    response.body = request.path == "/big" ? std::string(64 << 20, 'x') : "END";
    return response;
  };
  callbacks.failed = [](int status, std::string_view) {
    HttpResponse response;
    response.status = status;
    response.body = "END";
    return response;
  };
  HttpLimits limits = kLimits;
  limits.request_seconds_max = 1;
  limits.connections_max = 1;
  auto started = HttpServer::start("127.0.0.1", 0, 1, limits, std::move(callbacks));
  ASSERT_TRUE(started.ok());
  const auto server = *std::move(started);
  Client deaf(server->port());
  deaf.send_all(get("/big"));
  std::string answer;  // its place is free once it is cut off
  for (int i = 0; i < 100 && status_of(answer) != "HTTP/1.1 200"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    Client other(server->port());
    other.send_all(get("/small"));
    answer = other.read_until("END");
  }
  EXPECT_EQ(status_of(answer), "HTTP/1.1 200");
}

TEST(Http, AnExceptionIsAnsweredAndForgotten) {
  Door door;
  HttpLimits limits = kLimits;
  limits.waiting_max = 2;
  const auto server = start(door, limits);
  Client client(server->port());
  for (int i = 0; i < 10; ++i) {
    client.send_all(get(i % 2 == 0 ? "/throw" : "/break"));
    EXPECT_EQ(status_of(client.read_until("END")), "HTTP/1.1 500");
  }
}

TEST(Http, AnswersThatComeFromElsewhereKeepTheOrderOfAConnection) {
  Door door;
  const auto server = start(door);
  Client client(server->port());
  for (int i = 0; i < 20; ++i) {
    const std::string body = std::to_string(i);
    client.send_all("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string answer = client.read_until("END");
    EXPECT_EQ(status_of(answer), "HTTP/1.1 200");
    EXPECT_TRUE(answer.ends_with("later " + body + " END"));
  }
  door.wait_for_all();
}

// Every request that was handled is answered whole, whatever the moment of stopping.
TEST(Http, StoppingUnderLoadLosesNoAnswer) {
  std::atomic<int> handled{0}, answered{0};
  HttpServer::Callbacks callbacks;
  callbacks.way = [](const HttpRequest& request) {
    return request.path == "/wait" ? HttpWay::kBlocking : HttpWay::kInTurn;
  };
  callbacks.handle = [&](const HttpRequest&) {
    ++handled;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    HttpResponse response;
    response.body = std::string(20'000, 'x') + "END";
    return response;
  };
  callbacks.failed = [](int, std::string_view) { return HttpResponse{}; };
  auto started = HttpServer::start("127.0.0.1", 0, 2, kLimits, std::move(callbacks));
  ASSERT_TRUE(started.ok());
  const auto server = *std::move(started);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, path = i % 2 == 0 ? "/wait" : "/now"] {
      Client client(server->port());
      while (client.connected() && client.send_all(get(path)) &&
             client.read_until("END").ends_with("END")) {
        ++answered;
      }
    });
  }
  while (answered < 200) std::this_thread::yield();
  server->stop();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, handled);
  EXPECT_FALSE(Client(server->port()).connected());
}

TEST(Http, TargetsAreTakenApart) {
  EXPECT_EQ(percent_decode("a%20%c3%A4+").value(), "a \xC3\xA4+");
  for (const char* wrong : {"%", "%4", "%zz", "a%4"}) EXPECT_FALSE(percent_decode(wrong).ok());
  HttpRequest request;
  parse_target("/p%20q?category=Home+%26%2B&n=3&&flag&bad=%", request);
  EXPECT_EQ(request.path, "/p%20q");
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(request.query,
            (Pairs{{"category", "Home &+"}, {"n", "3"}, {"", ""}, {"flag", ""}, {"bad", "%"}}));
}

}  // namespace
}  // namespace vitrine
