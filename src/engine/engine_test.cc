#include "engine/engine.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/json.h"
#include "engine/engine_testing.h"

namespace vitrine {
namespace {

TEST(Engine, ListsWhatFitsAndSaysWhy) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const Answer answer = must(engine->recommend(request_of("u0", 5, true)));
  ASSERT_EQ(answer.items.size(), 5u);
  EXPECT_EQ(answer.items[0].id.substr(0, 2), "t0");
  EXPECT_EQ(answer.items[0].title.substr(0, 7), "Taste 0");
  ASSERT_FALSE(answer.items[0].reasons.empty());
  EXPECT_EQ(answer.items[0].because.rfind("because you bought Taste", 0), 0u)
      << answer.items[0].because;
  EXPECT_EQ(answer.slate_id.size(), 16u);
  EXPECT_EQ(answer.snapshot, engine->status().snapshot);
  EXPECT_TRUE(answer.degraded.empty()) << answer.degraded;
}

TEST(Engine, AnEventIsInTheNextList) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  const auto before = ids_of(must(engine->recommend(request_of("fresh"))));
  const Ack ack =
      must(engine->add_events(std::vector{purchase("fresh", item_id(3, 1), kNoTime, "o")}));
  RecommendRequest request = request_of("fresh", 10, true);
  request.min_sequence = ack.sequence;
  const Answer answer = must(engine->recommend(request));
  EXPECT_GE(answer.sequence, ack.sequence);
  const auto after = ids_of(answer);
  EXPECT_NE(before, after);
  EXPECT_EQ(answer.items[0].id.substr(0, 2), "t3");
  EXPECT_EQ(std::count(after.begin(), after.end(), item_id(3, 1)), 0) << "already bought";
  EXPECT_EQ(must(engine->person("fresh")).items, std::vector{item_id(3, 1)});
  request.min_sequence = ack.sequence + 1000;
  EXPECT_EQ(engine->recommend(request).error().code, Code::kUnavailable);
}

TEST(Engine, ADeadlineEndsTheWaitForASequence) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  RecommendRequest request = request_of("u0", 5, true);
  request.min_sequence = engine->status().sequence + 1000;
  request.ms_left = 20;
  const Answer answer = must(engine->recommend(request));
  EXPECT_EQ(answer.items.size(), 5u);
  EXPECT_NE(answer.degraded.find("is not there yet"), std::string::npos) << answer.degraded;
  request.min_sequence = engine->status().sequence;
  request.ms_left = 60'000;
  EXPECT_EQ(must(engine->recommend(request)).degraded, "");
}

TEST(Engine, ASessionIsAPersonToo) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  Event event = purchase("", item_id(2, 4), kNoTime, "");
  event.id = "view";
  event.session = "visit";
  event.type = EventType::kView;
  must(engine->add_events(std::vector{event}));
  RecommendRequest request;
  request.session = "visit";
  EXPECT_EQ(must(engine->recommend(request)).items[0].id.substr(0, 2), "t2");
  RecommendRequest given;
  given.history = {purchase("", item_id(1, 4), kNoTime, "")};
  EXPECT_EQ(must(engine->recommend(given)).items[0].id.substr(0, 2), "t1");
}

TEST(Engine, RepeatIsAPolicy) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const auto has = must(engine->person("u1")).items;
  const auto listed = [&](const std::string& repeat) {
    RecommendRequest request = request_of("u1", 40);
    request.repeat = repeat;
    return ids_of(must(engine->recommend(request)));
  };
  const auto never = listed("never"), cycle = listed("after_cycle"), always = listed("always");
  for (const std::string& item : has) {
    EXPECT_EQ(std::count(never.begin(), never.end(), item), 0);
    EXPECT_EQ(std::count(always.begin(), always.end(), item), 1);
  }
  EXPECT_EQ(cycle, always) << "everything was bought years ago";
}

TEST(Engine, FiltersAndContext) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  RecommendRequest request = request_of("u0", 20);
  request.categories = {"All > Taste 1", "All>Taste 2"};
  request.exclude = {item_id(1, 0), "no-such-item"};
  request.item = item_id(1, 1);
  request.cart = {item_id(2, 2)};
  const auto ids = ids_of(must(engine->recommend(request)));
  EXPECT_FALSE(ids.empty());
  for (const std::string& id : ids) {
    EXPECT_TRUE(id[1] == '1' || id[1] == '2') << id;
    EXPECT_TRUE(id != item_id(1, 0) && id != item_id(1, 1) && id != item_id(2, 2)) << id;
  }
  request.categories = {"Nowhere"};
  const Answer nothing = must(engine->recommend(request));
  EXPECT_TRUE(nothing.items.empty());
  EXPECT_FALSE(nothing.shortfall.empty());
}

TEST(Engine, SimilarTogetherPopular) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const Answer similar = must(engine->similar(item_id(2, 3), 5, SimilarBy::kBehaviour, {}));
  ASSERT_FALSE(similar.items.empty());
  EXPECT_EQ(similar.items[0].id.substr(0, 2), "t2");
  const auto ids = ids_of(similar);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), item_id(2, 3)), 0);
  must(engine->similar(item_id(2, 3), 5, SimilarBy::kTogether, {}));
  EXPECT_EQ(engine->similar("nothing", 5, SimilarBy::kBehaviour, {}).error().code, Code::kNotFound);
  EXPECT_EQ(must(engine->popular({.n = 7})).items.size(), 7u);
  for (const std::string& id :
       ids_of(must(engine->popular({.n = 5, .days = 30, .category = "All>Taste 3"})))) {
    EXPECT_EQ(id.substr(0, 2), "t3");
  }
  EXPECT_EQ(engine->popular({.n = 5, .category = "Nowhere"}).error().code, Code::kNotFound);
}

TEST(Engine, ExplainsOneItemUnderEveryModel) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const auto list = must(engine->recommend(request_of("u0", 1)));
  const auto explained = must(engine->explain(request_of("u0"), list.items[0].id));
  std::set<std::string> sources;
  for (const AnsweredItem& item : explained) {
    sources.insert(item.source);
    EXPECT_FALSE(item.reasons.empty());
  }
  EXPECT_EQ(sources, (std::set<std::string>{"ease", "item_knn"}));
  EXPECT_EQ(engine->explain(request_of("u0"), "nothing").error().code, Code::kNotFound);
}

TEST(Engine, WithoutASnapshotWhatIsPopular) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  const Answer answer = must(engine->recommend(request_of("u0")));
  EXPECT_EQ(answer.items.size(), 10u);
  EXPECT_NE(answer.degraded.find("no snapshot"), std::string::npos);
  EXPECT_FALSE(engine->status().ready);
}

TEST(Engine, RestartAnswersTheSame) {
  TempFolder folder;
  const Config config = shop_config(folder);
  std::vector<std::vector<std::string>> before;
  {
    const auto engine = filled_shop(config, OpenMode::kServe);
    must(engine->add_events(
        std::vector{purchase("u3", item_id(0, 0), kShopOpens + 95 * kDay, "late")}));
    for (int p = 0; p < 10; ++p)
      before.push_back(ids_of(must(engine->recommend(request_of(user_id(p))))));
  }
  for (const OpenMode mode : {OpenMode::kServe, OpenMode::kTool}) {
    const auto engine = open_shop(config, mode);
    for (int p = 0; p < 10; ++p) {
      EXPECT_EQ(ids_of(must(engine->recommend(request_of(user_id(p))))),
                before[static_cast<std::size_t>(p)]);
    }
    EXPECT_EQ(engine->status().events, shop_events().size() + 1);
  }
}

TEST(Engine, RepeatedEventsChangeNothing) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  const std::uint64_t sequence = engine->status().sequence;
  const Ack ack = must(engine->add_events(shop_events()));
  EXPECT_EQ(ack.accepted, 0u);
  EXPECT_EQ(ack.repeated, shop_events().size());
  EXPECT_EQ(engine->status().sequence, sequence);
  EXPECT_EQ(must(engine->person("u0")).history.size(), 6u);
}

TEST(Engine, AnErasedUserIsNobody) {
  TempFolder folder;
  const Config config = shop_config(folder);
  {
    const auto engine = filled_shop(config, OpenMode::kServe);
    User user;
    user.id = "u0";
    user.attributes.set("country", "DE");
    must(engine->put_users(std::vector{user}));
    EXPECT_EQ(must(engine->user("u0")).attributes, user.attributes);
    must(engine->erase_user("u0"));
    EXPECT_EQ(engine->user("u0").error().code, Code::kNotFound);
    EXPECT_EQ(engine->person("u0").error().code, Code::kNotFound);
    EXPECT_EQ(engine->erase_user("u0").error().code, Code::kNotFound);
    EXPECT_EQ(ids_of(must(engine->recommend(request_of("u0")))),
              ids_of(must(engine->recommend(request_of("nobody")))));
  }
  const auto engine = open_shop(config, OpenMode::kServe);
  EXPECT_EQ(engine->person("u0").error().code, Code::kNotFound);
  TestRun run;
  const TrainReport report = must(engine->train(run.run, {}));
  EXPECT_EQ(report.manifest.events, shop_events().size() - 6);
}

TEST(Engine, ItemsAndUsersArePatched) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  must(engine->patch_item("t0-1", Table{{"title", "New"}, {"available", false}}));
  EXPECT_EQ(must(engine->item("t0-1")).title, "New");
  EXPECT_FALSE(must(engine->item("t0-1")).available);
  EXPECT_EQ(must(engine->item("t0-1")).category, shop_item(0, 1).category);
  EXPECT_EQ(engine->patch_item("nothing", Table{}).error().code, Code::kNotFound);
  must(engine->patch_user("u7", Table{{"attributes", Table{{"country", "FR"}}}}));
  EXPECT_EQ(must(engine->user("u7")).attributes, (Table{{"country", "FR"}}));
  must(engine->erase_item("t0-1"));
  EXPECT_EQ(engine->item("t0-1").error().code, Code::kNotFound);
  EXPECT_EQ(engine->erase_item("nothing").error().code, Code::kNotFound);
}

TEST(Engine, WhatOnlyEventsMentionIsIncomplete) {
  TempFolder folder;
  const Config config = shop_config(folder);
  {
    const auto engine = filled_shop(config, OpenMode::kServe, false);
    EXPECT_EQ(engine->status().incomplete_items, 0u);
    std::vector<Event> events;
    for (const char* item : {"first", "second", "third"})
      events.push_back(purchase("fresh", item, kShopOpens, "order"));
    must(engine->add_events(events));
    EXPECT_EQ(engine->status().incomplete_items, 3u);
    EXPECT_TRUE(must(engine->item("first")).incomplete);
    EXPECT_EQ(must(engine->item("first")).id, "first");
    EXPECT_FALSE(must(engine->item("t0-1")).incomplete);
    EXPECT_TRUE(must(engine->user("fresh")).incomplete);
    must(engine->patch_item("first", Table{{"title", "Described"}}));
    must(engine->patch_user("fresh", Table{{"attributes", Table{{"country", "FR"}}}}));
    must(engine->erase_item("second"));
    must(engine->erase_item("t0-1"));
    EXPECT_FALSE(must(engine->item("first")).incomplete);
    EXPECT_FALSE(must(engine->user("fresh")).incomplete);
    EXPECT_EQ(engine->item("second").error().code, Code::kNotFound);
    EXPECT_EQ(engine->status().incomplete_items, 1u);
  }
  const auto engine = open_shop(config, OpenMode::kServe);
  EXPECT_EQ(engine->status().incomplete_items, 1u);
  EXPECT_TRUE(must(engine->item("third")).incomplete);
}

TEST(Engine, BadRequestsAreErrors) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kTool);
  const auto code = [&](const RecommendRequest& request) {
    const auto answer = engine->recommend(request);
    return answer.ok() ? "none" : std::string(code_name(answer.error().code));
  };
  EXPECT_EQ(code(request_of("u0", 0)), "invalid");
  EXPECT_EQ(code(request_of("u0", -5)), "invalid");
  EXPECT_EQ(code(request_of("u0", 1'000'000)), "invalid");
  EXPECT_EQ(code(request_of(std::string(300, 'x'))), "invalid");
  EXPECT_EQ(code(request_of("bad\nid")), "invalid");
  RecommendRequest request = request_of("u0");
  request.placement = "hme";
  EXPECT_NE(engine->recommend(request).error().message.find("home"), std::string::npos);
  request = request_of("u0");
  request.models = {"eese"};
  EXPECT_NE(engine->recommend(request).error().message.find("ease"), std::string::npos);
  request = request_of("u0");
  request.repeat = "sometimes";
  EXPECT_EQ(code(request), "invalid");
  std::vector<Event> events{purchase("a", "b", kNoTime, ""), purchase("a", "", kNoTime, "")};
  const auto added = engine->add_events(events);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error().message.rfind("event 2: ", 0), 0u) << added.error().message;
  EXPECT_EQ(engine->person("a").error().code, Code::kNotFound) << "all or nothing";
}

TEST(Engine, EveryServedListIsRecorded) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  const Answer answer = must(engine->recommend(request_of("u0", 3)));
  must(engine->similar(item_id(0, 0), 3, SimilarBy::kBehaviour, {}));
  engine->flush_slates();
  EXPECT_EQ(engine->status().slates_logged, 2u);
  const auto files = must(real_files().list(folder.file("shop/slates")));
  ASSERT_EQ(files.size(), 1u);
  const std::string text = must(read_file(real_files(), folder.file("shop/slates/" + files[0])));
  const Value record = must(parse_json(text.substr(0, text.find('\n'))));
  EXPECT_EQ(*record.as_table()->find("slate_id")->as_string(), answer.slate_id);
  EXPECT_EQ(*record.as_table()->find("user")->as_string(), "u0");
  EXPECT_EQ(record.as_table()->find("items")->as_list()->size(), 3u);
}

// Whatever is unavailable, on whatever path: it is in no list.
TEST(Engine, TheGateHoldsOnEveryPath) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder, "[cleaning]\nnon_product_ids = ['t3-0']\n"),
                                  OpenMode::kServe);
  TempFolder other;
  const auto untrained = filled_shop(shop_config(other), OpenMode::kServe, false);
  const bool held = rc::check("nothing unavailable is listed", [&] {
    std::vector<Item> items;
    std::set<std::string> hidden;
    for (int i = 0; i < kTastes * kItemsPerTaste; ++i) {
      Item item = shop_item(i / kItemsPerTaste, i % kItemsPerTaste);
      item.available = !*rc::gen::weightedElement<bool>({{1, true}, {2, false}});
      if (!item.available) hidden.insert(item.id);
      items.push_back(std::move(item));
    }
    must(engine->put_items(items));
    must(untrained->put_items(items));
    const int person = *rc::gen::inRange(0, kPeople + 2);
    RecommendRequest request = request_of(user_id(person), *rc::gen::inRange(1, 45));
    request.repeat = *rc::gen::element<std::string>("never", "always", "after_cycle");
    if (*rc::gen::arbitrary<bool>()) request.categories = {"All>Taste 2", "All>Taste 3"};
    const std::string item =
        item_id(*rc::gen::inRange(0, kTastes), *rc::gen::inRange(0, kItemsPerTaste));
    const auto check = [&](const Result<Answer>& answer) {
      if (!answer.ok()) return;
      for (const std::string& id : ids_of(*answer)) RC_ASSERT(hidden.count(id) == 0u);
    };
    check(untrained->recommend(request));
    hidden.insert("t3-0");
    check(engine->recommend(request));
    check(engine->similar(item, 40, SimilarBy::kBehaviour, {}));
    check(engine->similar(item, 40, SimilarBy::kTogether, {}));
    check(engine->popular({.n = 40}));
    check(engine->popular({.n = 40, .days = 90, .category = "All"}));
  });
  EXPECT_TRUE(held);
}

TEST(Engine, SnapshotsSwapUnderRequests) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  std::atomic<bool> stop{false};
  std::atomic<int> answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop.load(); ++i) {
        const auto answer = engine->recommend(request_of(user_id((t + i) % kPeople), 5, true));
        ASSERT_TRUE(answer.ok());
        EXPECT_EQ(answer->items.size(), 5u);
        answers.fetch_add(1);
      }
    });
  }
  threads.emplace_back([&] {
    for (int i = 0; !stop.load(); ++i) {
      must(engine->add_events(std::vector{purchase(
          "w" + std::to_string(i % 50), item_id(i % kTastes, i % kItemsPerTaste), kNoTime, "")}));
      must(engine->put_items(std::vector{shop_item(i % kTastes, i % kItemsPerTaste)}));
    }
  });
  TestRun run;
  for (int i = 0; i < 3; ++i) {
    const TrainReport report = must(engine->train(run.run, {.force = true, .reason = "test"}));
    EXPECT_TRUE(report.published);
  }
  const auto manifests = must(engine->snapshots());
  for (const Manifest& manifest : manifests) must(engine->publish(manifest.name));
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answers.load(), 0);
}

TEST(Engine, TrainsInTheBackground) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  must(engine->start_training({}));
  for (int i = 0; i < 600 && engine->status().training == "running"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(engine->status().training, "idle");
  EXPECT_TRUE(engine->status().ready);
  EXPECT_TRUE(must(engine->recommend(request_of("u0"))).degraded.empty());
}

TEST(Engine, ATrainerThatFailsIsReported) {
  TempFolder folder;
  Config config = shop_config(folder);
  config.trainer = {"/bin/sh", "-c", "echo first >&2; echo the disk is full >&2; exit 3"};
  const auto engine = filled_shop(config, OpenMode::kServe, false);
  must(engine->start_training({}));
  for (int i = 0; i < 200 && engine->status().training == "running"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(engine->status().training,
            "failed: training ended with status 3: the disk is full; it is begun again in 60 s");
}

TEST(Engine, ARollbackIsFollowedWhileATrainingRuns) {
  TempFolder folder;
  Config config = shop_config(folder);
  config.trainer = {"/bin/sh", "-c", "exec sleep 100"};
  const auto server = filled_shop(config, OpenMode::kServe);
  const std::string first = server->status().snapshot;
  TestRun run;
  must(server->train(run.run, {true, "", false}));
  must(server->start_training({}));
  ASSERT_NE(server->status().snapshot, first);
  must(SnapshotFolder(real_files(), folder.file("shop/snapshots")).publish(first));
  for (int i = 0; i < 400 && server->status().snapshot != first; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(server->status().snapshot, first);
  EXPECT_EQ(server->status().training, "running");
}

TEST(Engine, AnotherProcessMayTrainBesideTheServer) {
  TempFolder folder;
  const Config config = shop_config(folder);
  const auto server = filled_shop(config, OpenMode::kServe, false);
  const auto tool = open_shop(config, OpenMode::kTool);
  TestRun run;
  const TrainReport report = must(tool->train(run.run, {}));
  EXPECT_TRUE(report.published) << report.verdict;
  EXPECT_FALSE(tool->add_events(shop_events(1)).ok()) << "the server holds the log";
  for (int i = 0; i < 200 && !server->status().ready; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(server->status().snapshot, report.manifest.name);
}

TEST(Engine, AnEventFromTheFutureForgetsNothing) {
  TempFolder folder;
  const auto engine = open_shop(shop_config(folder), OpenMode::kServe);
  Event event = purchase("u", item_id(0, 1), kNoTime, "");
  event.received = kNoTime;
  must(engine->add_events(std::vector{event}));
  Event future = purchase("u", item_id(0, 2), parse_time("2099-01-01").value(), "");
  must(engine->add_events(std::vector{future}));
  for (const CountedRequest& asked : {CountedRequest{5, 1, 0}, CountedRequest{5, 0, 1}})
    EXPECT_EQ(must(engine->popular(asked)).items.size(), 2U);
}

}  // namespace
}  // namespace vitrine
