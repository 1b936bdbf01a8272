#include <gtest/gtest.h>

#include "base/json.h"
#include "data/item.h"

namespace vitrine {
namespace {

constexpr std::string_view kFull =
    R"({"id":"85123A","title":"T-LIGHT HOLDER","description":"white, hanging",)"
    R"("category":["Home","Lights"],)"
    R"("brand":"Acme","price":2.55,"currency":"GBP","image":"https://shop.example/1.jpg",)"
    R"("tags":["white","gift"],"available":false,"created":"2011-12-09T12:50:00Z",)"
    R"("attributes":{"colour":"white","weight":12,"sizes":["S","M"],"eco":true},)"
    R"("vectors":{"image":[0.5,-1.25],"text":[1.0]}})";

std::string message(std::string_view text) {
  const auto item = item_from_json(*parse_json(text));
  return item.ok() ? std::string("accepted") : item.error().message;
}

TEST(ItemJson, RoundTrips) {
  const auto item = item_from_json(*parse_json(kFull));
  ASSERT_TRUE(item.ok()) << item.error().message;
  EXPECT_EQ(item->category, (std::vector<std::string>{"Home", "Lights"}));
  EXPECT_EQ(item->created, 1323435000000);
  EXPECT_FALSE(item->available);
  EXPECT_EQ(item->vectors[0].second, (std::vector<float>{0.5f, -1.25f}));
  EXPECT_EQ(to_json(item_to_json(*item)), kFull);
}

TEST(ItemJson, AnIdIsEnough) {
  const auto item = item_from_json(*parse_json(R"({"id":"x"})"));
  ASSERT_TRUE(item.ok());
  EXPECT_TRUE(item->available);
  EXPECT_EQ(to_json(item_to_json(*item)), R"({"id":"x","available":true})");
}

TEST(ItemJson, NamesTheWrongField) {
  EXPECT_EQ(message(R"({})"), "id: is missing");
  EXPECT_EQ(message(R"("x")"), "item: expected an object, found a string");
  EXPECT_EQ(message(R"({"id":5})"), "id: expected a string, found an integer");
  EXPECT_EQ(message(R"({"id":"a","price":"2"})"), "price: expected a number, found a string");
  EXPECT_EQ(message(R"({"id":"a","price":-2})"), "price: must not be negative");
  EXPECT_EQ(message(R"({"id":"a","titel":"x"})"), "unknown field 'titel', did you mean 'title'?");
  EXPECT_EQ(message(R"({"id":"a","available":"yes"})"),
            "available: expected true or false, found a string");
  EXPECT_EQ(message(R"({"id":"a","tags":[1]})"), "tags: expected a string, found an integer");
  EXPECT_EQ(message(R"({"id":"a","category":[""]})"), "category: holds an empty string");
  EXPECT_EQ(
      message(R"({"id":"a","attributes":{"x":{}}})"),
      "attributes.x: expected a string, a number, a boolean or a list of them, found an object");
  EXPECT_EQ(message(R"({"id":"a","attributes":{"x":[[1]]}})"),
            "attributes.x: expected a string, a number, a boolean or a list of them, found a list");
  EXPECT_EQ(message(R"({"id":"a","vectors":{"v":[]}})"), "vectors.v: is empty");
  EXPECT_EQ(message(R"({"id":"a","vectors":{"v":[1e300]}})"), "vectors.v: a number is too large");
  EXPECT_EQ(message(R"({"id":"a","title":"a\u0000b"})"), "title: contains a control character");
  EXPECT_EQ(message(R"({"id":"a\nb"})"), "id: contains a control character");
}

TEST(ItemJson, KeepsTheLimits) {
  const auto with = [](std::string_view name, Value value) {
    const auto item = item_from_json(Table{{"id", "a"}, {std::string(name), std::move(value)}});
    return item.ok();
  };
  EXPECT_TRUE(with("title", std::string(kTextBytesMax, 'x')));
  EXPECT_FALSE(with("title", std::string(kTextBytesMax + 1, 'x')));
  EXPECT_TRUE(with("tags", List(kItemListMax, Value("x"))));
  EXPECT_FALSE(with("tags", List(kItemListMax + 1, Value("x"))));
  EXPECT_FALSE(with("vectors", Table{{"v", List(kVectorMax + 1, Value(1.0))}}));
  Table attributes;
  for (std::size_t i = 0; i <= kAttributesMax; ++i) attributes.set("a" + std::to_string(i), 1);
  EXPECT_FALSE(with("attributes", attributes));
  attributes.erase("a0");
  EXPECT_TRUE(with("attributes", attributes));
}

TEST(PatchItem, ChangesWhatIsPresent) {
  Item item = *item_from_json(*parse_json(kFull));
  ASSERT_TRUE(
      patch_item(item, *parse_json(R"({"price":3,"brand":null,"available":true,"tags":["new"],
      "attributes":{"colour":"red","eco":null},"vectors":{"text":null,"a":[2]}})"))
          .ok());
  EXPECT_EQ(item.price, 3);
  EXPECT_EQ(item.brand, "");
  EXPECT_EQ(item.title, "T-LIGHT HOLDER");
  EXPECT_EQ(item.tags, std::vector<std::string>{"new"});
  EXPECT_EQ(to_json(item.attributes), R"({"colour":"red","weight":12,"sizes":["S","M"]})");
  ASSERT_EQ(item.vectors.size(), 2u);
  EXPECT_EQ(item.vectors[0].first, "a");
  EXPECT_EQ(item.vectors[1].first, "image");
}

TEST(PatchItem, IsAllOrNothing) {
  Item item = *item_from_json(*parse_json(kFull));
  const auto failed = patch_item(item, *parse_json(R"({"title":"new","price":true})"));
  EXPECT_EQ(failed.error().message, "price: expected a number, found a boolean");
  EXPECT_EQ(item.title, "T-LIGHT HOLDER");
  EXPECT_FALSE(patch_item(item, *parse_json(R"({"id":"other"})")).ok());
  EXPECT_TRUE(patch_item(item, *parse_json(R"({"id":"85123A"})")).ok());
}

TEST(UserJson, RoundTripsAndPatches) {
  constexpr std::string_view kText =
      R"({"id":"12347","created":"2010-12-01T08:26:00Z","attributes":{"country":"Iceland"}})";
  auto user = user_from_json(*parse_json(kText));
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(to_json(user_to_json(*user)), kText);
  ASSERT_TRUE(patch_user(*user, *parse_json(R"({"attributes":{"age":30},"created":null})")).ok());
  EXPECT_EQ(to_json(user_to_json(*user)),
            R"({"id":"12347","attributes":{"country":"Iceland","age":30}})");
  EXPECT_EQ(user_from_json(*parse_json(R"({"attributes":{}})")).error().message, "id: is missing");
}

}  // namespace
}  // namespace vitrine
