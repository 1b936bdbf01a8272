#include "engine/dataset.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "engine/category_masks.h"
#include "engine/engine_testing.h"
#include "engine/live.h"

namespace vitrine {
namespace {

// Random things happen to a shop, through its engine.
void happen(Engine& engine, int steps) {
  for (int s = 0; s < steps; ++s) {
    const std::string user = user_id(*rc::gen::inRange(0, 6));
    const std::string item = item_id(0, *rc::gen::inRange(0, 8));
    const std::string session = "s" + std::to_string(*rc::gen::inRange(0, 3));
    switch (*rc::gen::inRange(0, 11)) {
      case 4:
        (void)engine.merge({session, "", user}).ok();
        break;
      case 5:
        (void)engine.merge({"", user_id(*rc::gen::inRange(0, 6)), user}).ok();
        break;
      case 6:
      case 7:
      case 8: {
        // Anonymous, or a login; some at the same moment as others.
        Event event = purchase(*rc::gen::arbitrary<bool>() ? user : "", item,
                               kShopOpens + *rc::gen::inRange(0, 5) * kSecond, "");
        event.id = std::to_string(s);
        event.session = session;
        (void)engine.add_events(std::vector{event}).ok();
        break;
      }
      case 0: {
        Item described;
        described.id = item;
        described.title = "v" + std::to_string(s);
        (void)engine.put_items(std::vector{described}).ok();
        break;
      }
      case 1: {
        User described;
        described.id = user;
        (void)engine.put_users(std::vector{described}).ok();
        break;
      }
      case 2:
        (void)engine.erase_item(item).ok();
        break;
      case 3:
        (void)engine.erase_user(user).ok();
        break;
      default:
        (void)engine.add_events(std::vector{purchase(user, item, kShopOpens + s * kSecond, "")})
            .ok();
    }
  }
}

// Training and serving fold the log on their own and must mean the same by every index.
TEST(Dataset, FoldsAsTheLiveStateDoes) {
  const bool held = rc::check("the folds agree", [] {
    TempFolder folder;
    Config config = shop_config(folder);
    config.cleaning.duplicates = false;
    config.live.merge_sessions = *rc::gen::arbitrary<bool>();
    const auto engine = open_shop(config, OpenMode::kTool);
    must(engine->put_items(std::vector{shop_item(0, 0)}));
    must(engine->item(item_id(0, 0)));  // from here on it is fed as things happen
    happen(*engine, *rc::gen::inRange(1, 40));
    auto log = open_file_log_to_read(real_files(), folder.file("shop/log"));
    RC_PRE(log.ok());
    TestRun run;
    const EventTypes types;
    const RawDataset raw = must(read_dataset(run.run, **log, types, kWholeLog, config.live));
    const Dataset learned = must(build_dataset(run.run, **log, types, config));
    const auto live = must(Live::replay(run.run, **log, types, config, "memory:"));
    RC_ASSERT(raw.sequence == live->sequence());
    RC_ASSERT(raw.vocabulary.users.size() == live->vocabulary().users.size());
    RC_ASSERT(raw.vocabulary.items.size() == live->vocabulary().items.size());
    const auto catalogue = live->catalogue();
    RC_ASSERT(catalogue->size() == raw.catalogue.size());
    for (std::uint32_t i = 0; i < raw.vocabulary.items.size(); ++i) {
      const ItemIndex index{i};
      RC_ASSERT(raw.vocabulary.id(index) == live->vocabulary().id(index));
      RC_ASSERT(raw.catalogue.available(index) == catalogue->available().test(i));
      RC_ASSERT(raw.catalogue.title(index) == catalogue->title(index));
    }
    for (std::uint32_t u = 0; u < raw.vocabulary.users.size(); ++u) {
      const UserIndex user{u};
      RC_ASSERT(raw.vocabulary.id(user) == live->vocabulary().id(user));
      const auto rows =
          static_cast<std::size_t>(std::count(raw.table.user.begin(), raw.table.user.end(), user));
      const auto history = must(live->people().history({user, {}}));
      RC_ASSERT(history.size() == rows);
      const auto row = learned.histories.row(u);
      RC_ASSERT(row.size() == rows);
      for (std::size_t i = 0; i < rows; ++i) {
        RC_ASSERT(history[i].item == row[i].item);
        RC_ASSERT(history[i].time == row[i].time);
        RC_ASSERT(history[i].group == row[i].group);
      }
      // What is fed as it happens is what a replay makes of it.
      if (!raw.vocabulary.id(user).empty()) {
        RC_ASSERT(must(engine->person(raw.vocabulary.id(user))).history.size() == rows);
      }
    }
    std::size_t anonymous = 0;
    for (std::size_t r = learned.histories.users(); r < learned.histories.rows(); ++r)
      anonymous += learned.histories.row(r).size();
    for (int s = 0; s < 3; ++s)
      anonymous -= must(live->people().history({kNoUser, "s" + std::to_string(s)})).size();
    RC_ASSERT(anonymous == 0U);
  });
  EXPECT_TRUE(held);
}

// Whether two folds say the same of every event and id.
void expect_equal(const RawDataset& a, const RawDataset& b) {
  RC_ASSERT(a.sequence == b.sequence);
  RC_ASSERT(a.vocabulary.users.size() == b.vocabulary.users.size());
  for (std::uint32_t u = 0; u < a.vocabulary.users.size(); ++u)
    RC_ASSERT(a.vocabulary.users.id(u) == b.vocabulary.users.id(u));
  RC_ASSERT(a.vocabulary.items.size() == b.vocabulary.items.size());
  for (std::uint32_t i = 0; i < a.vocabulary.items.size(); ++i)
    RC_ASSERT(a.vocabulary.items.id(i) == b.vocabulary.items.id(i));
  RC_ASSERT(a.table.sequence == b.table.sequence);
  RC_ASSERT(a.table.user == b.table.user);
  RC_ASSERT(a.table.item == b.table.item);
  RC_ASSERT(a.table.content == b.table.content);
}

// Who begins with the ids of a part of the log reads the whole of it as anyone else does.
TEST(Dataset, KnownIdsChangeNothing) {
  const bool held = rc::check("the folds agree", [] {
    TempFolder folder;
    Config config = shop_config(folder);
    config.live.merge_sessions = *rc::gen::arbitrary<bool>();
    const auto engine = open_shop(config, OpenMode::kTool);
    happen(*engine, *rc::gen::inRange(1, 60));
    auto log = open_file_log_to_read(real_files(), folder.file("shop/log"));
    RC_PRE(log.ok());
    RC_PRE((*log)->last_sequence() > 0U);
    TestRun run;
    const EventTypes types;
    const RawDataset whole = must(read_dataset(run.run, **log, types, kWholeLog, config.live));
    const auto known = [&, at = *rc::gen::inRange<std::uint64_t>(1, whole.sequence + 1)] {
      RawDataset part = must(read_dataset(run.run, **log, types, at, config.live));
      const std::string path = folder.file("vocabulary");
      must(save_known_ids(unsynced_files(), path, {part.sequence, std::move(part.vocabulary)}));
      return must(load_known_ids(unsynced_files(), path));
    };
    const std::uint64_t at = known().sequence;
    const RawDataset again =
        must(read_dataset(run.run, **log, types, kWholeLog, config.live, known()));
    expect_equal(again, whole);
    // With ids that only later records brought, what is earlier is of the same people.
    const RawDataset earlier =
        must(read_dataset(run.run, **log, types, at - 1, config.live, known()));
    RC_ASSERT(earlier.vocabulary.users.size() >= known().vocabulary.users.size());

    const auto live = must(Live::replay(run.run, **log, types, config, "memory:"));
    const auto knowing =
        must(Live::replay(run.run, **log, types, config, "memory:", {}, {}, known()));
    RC_ASSERT(knowing->sequence() == live->sequence());
    for (std::uint32_t u = 0; u < whole.vocabulary.users.size(); ++u) {
      const Person person{UserIndex{u}, {}};
      RC_ASSERT(knowing->vocabulary().id(person.user) == live->vocabulary().id(person.user));
      const auto a = must(knowing->people().history(person));
      const auto b = must(live->people().history(person));
      RC_ASSERT(a.size() == b.size());
      for (std::size_t i = 0; i < a.size(); ++i)
        RC_ASSERT(std::tie(a[i].item, a[i].time) == std::tie(b[i].item, b[i].time));
    }
    for (std::uint32_t i = 0; i < whole.vocabulary.items.size(); ++i)
      RC_ASSERT(knowing->catalogue()->available().test(i) ==
                live->catalogue()->available().test(i));
  });
  EXPECT_TRUE(held);
}

TEST(Dataset, ALoginTakesTheSessionAlong) {
  TempFolder folder;
  const Config config = shop_config(folder);
  const auto engine = open_shop(config, OpenMode::kServe);
  const auto look = [&](const std::string& user, const std::string& session, int i) {
    Event event = purchase(user, item_id(0, i), kShopOpens + i * kSecond, "");
    event.session = session;
    must(engine->add_events(std::vector{event}));
  };
  look("", "visit", 1);
  look("", "visit", 2);
  look("", "other", 3);
  look("anna", "visit", 4);  // the login
  look("", "visit", 5);      // logged out again
  EXPECT_EQ(must(engine->person("anna")).items,
            (std::vector<std::string>{item_id(0, 1), item_id(0, 2), item_id(0, 4)}));
  look("anna", "visit", 6);
  EXPECT_EQ(must(engine->person("anna")).history.size(), 5U);
  must(engine->merge({"other", "", "anna"}));
  must(engine->merge({"other", "", "anna"}));
  EXPECT_EQ(must(engine->person("anna")).history.size(), 6U);
  must(engine->merge({"", "anna", "anna@shop"}));
  EXPECT_TRUE(must(engine->person("anna")).history.empty());
  EXPECT_EQ(must(engine->person("anna@shop")).history.size(), 6U);
  EXPECT_EQ(must(engine->popular({.n = 10})).items.size(), 6U) << "nothing counts twice";
  EXPECT_EQ(must(engine->popular({.n = 10})).items[0].score, 1);
}

TEST(Dataset, StopsAtASequence) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  const auto log = must(open_file_log_to_read(real_files(), folder.file("shop/log")));
  TestRun run;
  const std::uint64_t items = shop_items().size();
  const RawDataset part = must(read_dataset(run.run, *log, EventTypes(), items + 10));
  EXPECT_EQ(part.table.size(), 10u);
  EXPECT_EQ(part.sequence, items + 10);
  EXPECT_NE(items_fingerprint(part.vocabulary, 5), items_fingerprint(part.vocabulary, 6));
}

TEST(CategoryMasks, BelowAPath) {
  EXPECT_EQ(parse_category(" Home >Kitchen> "), (std::vector<std::string>{"Home", "Kitchen", ""}));
  LiveCatalogue live;
  for (std::uint32_t i = 0; i < 600; ++i) {
    Item item = shop_item(static_cast<int>(i % 4), static_cast<int>(i));
    item.available = i % 3 != 0;
    live.put(ItemIndex{i}, item);
  }
  live.publish();
  CategoryMasks masks;
  const auto before = live.current();
  const auto mask = masks.find(*before, std::vector<std::string>{"All>Taste 1", "Nowhere"});
  for (std::uint32_t i = 0; i < 600; ++i) EXPECT_EQ(mask->test(i), i % 4 == 1 && i % 3 != 0) << i;
  EXPECT_EQ(mask, masks.find(*before, std::vector<std::string>{"All>Taste 1", "Nowhere"}));
  const auto none = masks.find(*before, std::vector<std::string>{"Nowhere\nAll"});
  EXPECT_FALSE(none->test(1));
  const auto some = masks.find(*before, std::vector<std::string>{"Nowhere", "All"});
  EXPECT_TRUE(some->test(1)) << "another question";
  live.erase(ItemIndex{1});
  live.hide(ItemIndex{5});
  live.publish();
  const auto after = live.current();
  EXPECT_NE(before->item(ItemIndex{1}), nullptr) << "a pinned version does not change";
  EXPECT_EQ(after->item(ItemIndex{1}), nullptr);
  EXPECT_NE(after->item(ItemIndex{5}), nullptr);
  EXPECT_FALSE(after->available().test(5));
  const auto changed = masks.find(*after, std::vector<std::string>{"All>Taste 1", "Nowhere"});
  EXPECT_FALSE(changed->test(1) || changed->test(5));
  EXPECT_EQ(before->item(ItemIndex{400}), after->item(ItemIndex{400}))
      << "unchanged rows are shared";
}

}  // namespace
}  // namespace vitrine
