// Snapshots are published back and forth while lists are asked for, over HTTP and directly, events
// come in and items go: every answer is of one snapshot and holds nothing that is gone.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/json.h"
#include "engine/engine_testing.h"
#include "server/http_testing.h"
#include "server/server.h"

namespace vitrine {
namespace {

constexpr int kSwaps = 100;

class Swaps : public testing::Test {
 protected:
  Swaps() {
    must(engine_->add_events(std::vector{purchase("u3", item_id(1, 2), kNoTime, "late")}));
    TestRun run;
    must(engine_->train(run.run, {.force = true, .reason = "a second", .validate = false}));
    for (const Manifest& manifest : must(engine_->snapshots())) names_.insert(manifest.name);
    ServerOptions options;
    options.port = 0;
    options.threads = 2;
    options.development = true;
    options.queue_ms_max = 0;
    server_ = must(Server::start(*engine_, options));
  }

  // Items go one after the other: of those before `gone_` nothing may be seen any more.
  static std::string leaving(int i) { return item_id(i % kTastes, i / kTastes); }

  void expect_right(int gone, const std::string& snapshot, const std::vector<std::string>& items,
                    const std::string& degraded) {
    EXPECT_EQ(names_.count(snapshot), 1u) << snapshot;
    EXPECT_EQ(degraded, "");
    const std::set<std::string> listed(items.begin(), items.end());
    EXPECT_EQ(listed.size(), items.size());
    EXPECT_FALSE(items.empty());
    for (int i = 0; i < gone; ++i) EXPECT_EQ(listed.count(leaving(i)), 0u) << leaving(i);
    ++answers_;
  }

  void ask_directly(int thread) {
    for (int i = 0; !done_ && !HasFailure(); ++i) {
      const int gone = gone_;
      const Answer answer =
          must(engine_->recommend(request_of(user_id((i + 40 * thread) % kPeople), 5, i % 4 == 0)));
      expect_right(gone, answer.snapshot, ids_of(answer), answer.degraded);
    }
  }

  void ask_over_http(int thread) {
    Client client(server_->port());
    for (int i = 0; !done_ && !HasFailure(); ++i) {
      const int gone = gone_;
      const std::string user = user_id((i + 40 * thread) % kPeople);
      client.send_all(post("/v1/recommendations", R"({"n": 5, "user": ")" + user + "\"}"));
      const std::string answer = client.read_answer();
      ASSERT_EQ(status_of(answer), "HTTP/1.1 200") << answer;
      const Value body = must(parse_json(answer.substr(answer.find("\r\n\r\n") + 4)));
      const Table& table = *body.as_table();
      std::vector<std::string> items;
      for (const Value& item : *table.find("items")->as_list())
        items.push_back(*item.as_table()->find("id")->as_string());
      const Value* degraded = table.find("degraded");
      expect_right(gone, *table.find("snapshot")->as_string(), items,
                   degraded == nullptr ? "" : *degraded->as_string());
    }
  }

  void add_events(int thread) {
    for (int i = 0; !done_ && !HasFailure(); ++i) {
      const std::string order = std::to_string(thread) + "-" + std::to_string(i);
      Event event =
          purchase("guest" + std::to_string(i % 50), item_id(i % kTastes, i % 10), kNoTime, order);
      event.id = order;
      EXPECT_EQ(must(engine_->add_events(std::vector{event})).accepted, 1u);
      std::this_thread::yield();
    }
  }

  TempFolder folder_;
  std::unique_ptr<Engine> engine_ = filled_shop(shop_config(folder_), OpenMode::kServe);
  std::unique_ptr<Server> server_;
  std::set<std::string> names_;
  std::atomic<int> gone_{0}, answers_{0};
  std::atomic<bool> done_{false};
};

TEST_F(Swaps, UnderLoadNoAnswerIsWrong) {
  ASSERT_EQ(names_.size(), 2u);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([this, t] { ask_directly(t); });
    threads.emplace_back([this, t] { ask_over_http(t); });
  }
  threads.emplace_back([this] { add_events(0); });
  for (int swap = 0; swap < kSwaps && !HasFailure(); ++swap) {
    must(engine_->publish(swap % 2 == 0 ? *names_.begin() : *names_.rbegin()));
    if (swap % 10 == 5) {
      Item item = shop_item(gone_ % kTastes, gone_ / kTastes);
      item.available = false;
      must(engine_->put_items(std::span(&item, 1)));
      ++gone_;
    }
    for (const int before = answers_; answers_ < before + 4 && !HasFailure();)
      std::this_thread::yield();  // so that both are asked
  }
  done_ = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(answers_, 4 * kSwaps);
  EXPECT_EQ(engine_->status().snapshot, *names_.rbegin());
}

}  // namespace
}  // namespace vitrine
