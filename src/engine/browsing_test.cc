// Lists that are paged through, and items that no model knows yet.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/engine_testing.h"
#include "engine/limits.h"
#include "engine/slate_pages.h"

namespace vitrine {
namespace {

TEST(Pages, NoRepeatsWhateverHappensMeanwhile) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  RecommendRequest request = request_of("u0", 4);
  request.pages = true;
  Answer page = must(engine->recommend(request));
  EXPECT_EQ(page.items.size(), 4u);
  ASSERT_FALSE(page.next.empty());
  RecommendRequest plain = request_of("u0", 4);
  EXPECT_EQ(ids_of(page), ids_of(must(engine->recommend(plain)))) << "the first page is the list";
  std::set<std::string> seen;
  std::string hidden;
  for (int pages = 0; pages < 20; ++pages) {
    for (const std::string& id : ids_of(page)) {
      EXPECT_TRUE(seen.insert(id).second) << id << " again";
      EXPECT_NE(id, hidden);
    }
    if (page.next.empty()) break;
    RecommendRequest next = request_of("", 4);
    next.next = page.next;
    if (pages == 0) {  // the person goes on buying, and an item of the next page sells out
      const Answer peek = must(engine->recommend(next));
      hidden = peek.items[1].id;
      must(engine->add_events(std::vector{purchase("u0", peek.items[2].id, kShopOpens, "new")}));
      must(engine->patch_item(hidden, Table{{"available", false}}));
    }
    page = must(engine->recommend(next));
  }
  EXPECT_TRUE(page.next.empty());
  EXPECT_FALSE(page.shortfall.empty());
  EXPECT_GE(seen.size(), 30u);
}

TEST(Pages, HeedWhatIsHiddenAndWhoIsErasedMeanwhile) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  RecommendRequest request = request_of("u0", 4);
  request.pages = true;
  request.exclude.assign(100, std::string(kIdBytesMax, 'x'));
  const Answer first = must(engine->recommend(request));
  RecommendRequest next = request_of("", 4);
  next.next = first.next;
  const std::string unwanted = must(engine->recommend(next)).items[1].id;
  Event hide = purchase("u0", unwanted, kShopOpens + 200 * kDay, "");
  hide.type = EventType::kHide;
  must(engine->add_events(std::vector{hide}));
  for (const std::string& id : ids_of(must(engine->recommend(next)))) EXPECT_NE(id, unwanted);
  must(engine->erase_user("u0"));
  EXPECT_EQ(engine->recommend(next).error().code, Code::kNotFound);
}

TEST(Pages, SayWhatOtherListsSay) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe, false);
  RecommendRequest request = request_of("u0", 4);
  request.pages = true;
  const Answer unready = must(engine->recommend(request));
  EXPECT_NE(unready.degraded.find("no snapshot"), std::string::npos) << unready.degraded;
  TestRun run;
  must(engine->train(run.run, {}));
  EXPECT_EQ(must(engine->recommend(request)).degraded, "") << "the first page needs no fallback";
  request.ms_left = 0;
  const Answer late = must(engine->recommend(request));
  EXPECT_NE(late.degraded.find("out of time"), std::string::npos) << late.degraded;
}

TEST(Pages, TokensAreChecked) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  RecommendRequest request = request_of("u0", 4);
  for (const char* wrong : {"x", "x.", ".5", "x.-1", "x.1y"}) {
    request.next = wrong;
    const auto answer = engine->recommend(request);
    ASSERT_FALSE(answer.ok()) << wrong;
    EXPECT_EQ(answer.error().code, Code::kInvalid);
  }
  request.next = "0123456789abcdef.4";
  EXPECT_EQ(engine->recommend(request).error().code, Code::kNotFound);
  const auto token = PageToken::parse("ab.17");
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->text(), "ab.17");
}

TEST(Pages, TheOldestListsAreForgotten) {
  SlatePages pages;
  for (std::size_t i = 0; i < kFrozenSlatesMax + 10; ++i) pages.put(std::to_string(i), {});
  EXPECT_EQ(pages.find("9"), nullptr);
  EXPECT_NE(pages.find("10"), nullptr);
}

Item new_item(int taste, const std::string& id) {
  Item item = shop_item(taste, 0);
  item.id = id;
  return item;
}

TEST(NewItems, AreShownToThoseWhoseItemsTheyResemble) {
  TempFolder folder;
  const auto engine =
      filled_shop(shop_config(folder, "[placements.home]\nnew_items = 0.2\n"), OpenMode::kServe);
  for (int taste = 0; taste < kTastes; ++taste)
    must(engine->put_items(std::vector{new_item(taste, "new" + std::to_string(taste))}));
  std::map<std::string, int> shown;
  int places = 0;
  for (int i = 0; i < 500; ++i) {
    const Answer answer = must(engine->recommend(request_of("u4")));  // of taste 0
    for (const AnsweredItem& item : answer.items) {
      const bool is_new = item.id.starts_with("new");
      EXPECT_EQ(item.source == "new items", is_new);
      EXPECT_LT(item.propensity, is_new ? 0.25 : 1.01);
      shown[item.id] += is_new;
      places += is_new;
    }
    EXPECT_FALSE(answer.items[0].id.starts_with("new"));
  }
  EXPECT_NEAR(places, 500 * 10 * 0.2, 200);
  EXPECT_GT(shown["new0"], shown["new1"]) << "it is of their taste";
  EXPECT_GT(shown["new3"], 0) << "but everybody may come to see everything";
  const EngineStatus status = engine->status();
  EXPECT_EQ(status.new_items, 4u);
  EXPECT_EQ(status.new_items_shown, 4u);
  EXPECT_LT(status.new_item_seconds, 60);
}

TEST(NewItems, ObeyEveryMask) {
  TempFolder folder;
  const auto engine =
      filled_shop(shop_config(folder, "[placements.home]\nnew_items = 0.5\n"), OpenMode::kServe);
  must(
      engine->put_items(std::vector{new_item(0, "here"), new_item(0, "gone"), new_item(0, "bought"),
                                    new_item(1, "elsewhere"), new_item(0, "hidden")}));
  must(engine->patch_item("gone", Table{{"available", false}}));
  must(engine->add_events(std::vector{purchase("u4", "bought", kShopOpens, "n")}));
  Event hide = purchase("u4", "hidden", kShopOpens, "");
  hide.type = EventType::kHide;
  must(engine->add_events(std::vector{hide}));
  RecommendRequest request = request_of("u4");
  request.categories = {"All>Taste 0"};
  std::set<std::string> fresh;
  for (int i = 0; i < 100; ++i) {
    for (const AnsweredItem& item : must(engine->recommend(request)).items)
      if (item.source == "new items") fresh.insert(item.id);
  }
  EXPECT_EQ(fresh, (std::set<std::string>{"here"}));
}

TEST(NewItems, ATrainingKnowsThem) {
  TempFolder folder;
  const auto engine = filled_shop(shop_config(folder), OpenMode::kServe);
  must(engine->put_items(std::vector{new_item(0, "new0")}));
  must(engine->recommend(request_of("u4")));
  EXPECT_EQ(engine->status().new_items, 1u);
  TestRun run;
  ASSERT_TRUE(must(engine->train(run.run, {})).published);
  for (int i = 0; i < 50; ++i) {
    for (const AnsweredItem& item : must(engine->recommend(request_of("u4"))).items)
      EXPECT_NE(item.source, "new items");
  }
}

}  // namespace
}  // namespace vitrine
