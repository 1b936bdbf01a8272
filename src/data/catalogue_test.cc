#include "data/catalogue.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "tests/memory_files.h"

namespace vitrine {
namespace {

Item item(std::string_view json) { return *item_from_json(*parse_json(json)); }

Catalogue small_shop() {
  Catalogue catalogue;
  catalogue.put(ItemIndex{2},
                item(R"({"id":"c","title":"Lamp","category":["Home","Lights"],"price":5,
      "vectors":{"text":[1,2,3],"image":[0.5]}})"));
  catalogue.put(ItemIndex{0},
                item(R"({"id":"a","title":"Cup","category":["Home"],"available":false})"));
  catalogue.put(ItemIndex{4}, item(R"({"id":"e","title":"Ball","category":["Toys","Lights"],
      "vectors":{"text":[4,5]},"attributes":{"colour":"red"}})"));
  return catalogue;
}

TEST(Catalogue, KeepsItemsByIndex) {
  const Catalogue catalogue = small_shop();
  EXPECT_EQ(catalogue.size(), 5u);
  EXPECT_EQ(catalogue.title(ItemIndex{2}), "Lamp");
  EXPECT_TRUE(catalogue.known(ItemIndex{2}));
  EXPECT_FALSE(catalogue.available(ItemIndex{0}));
  // Mentioned by nobody yet, and beyond the end.
  for (const std::uint32_t i : {1u, 99u}) {
    EXPECT_FALSE(catalogue.known(ItemIndex{i}));
    EXPECT_TRUE(catalogue.available(ItemIndex{i}));
    EXPECT_EQ(catalogue.title(ItemIndex{i}), "");
    EXPECT_EQ(catalogue.category(ItemIndex{i}), kNoCategory);
  }
}

TEST(Catalogue, GrowsACategoryTree) {
  const Catalogue catalogue = small_shop();
  ASSERT_EQ(catalogue.categories(), 4u);
  EXPECT_EQ(catalogue.category_path(0), std::vector<std::string>{"Home"});
  EXPECT_EQ(catalogue.category_path(1), (std::vector<std::string>{"Home", "Lights"}));
  EXPECT_EQ(catalogue.category_path(3), (std::vector<std::string>{"Toys", "Lights"}));
  EXPECT_EQ(catalogue.parent(0), kNoCategory);
  EXPECT_EQ(catalogue.parent(1), 0u);
  EXPECT_EQ(catalogue.category(ItemIndex{0}), 0u);
  EXPECT_EQ(catalogue.category(ItemIndex{2}), 1u);
  EXPECT_EQ(catalogue.find_category(catalogue.category_path(3)), 3u);
  EXPECT_EQ(catalogue.find_category(std::vector<std::string>{"Lights"}), kNoCategory);
  EXPECT_EQ(catalogue.find_category({}), kNoCategory);
}

void expect_equal(const Catalogue& a, const Catalogue& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::uint32_t i = 0; i < a.size(); ++i) {
    const ItemIndex index{i};
    EXPECT_EQ(to_json(item_to_json(a.item(index))), [&] {
      Item without_id = b.item(index);
      without_id.id = a.item(index).id;
      return to_json(item_to_json(without_id));
    }());
    EXPECT_EQ(a.known(index), b.known(index));
    EXPECT_EQ(a.available(index), b.available(index));
    EXPECT_EQ(a.category(index), b.category(index));
  }
  ASSERT_EQ(a.categories(), b.categories());
  for (CategoryIndex c = 0; c < a.categories(); ++c) {
    EXPECT_EQ(a.category_path(c), b.category_path(c));
    EXPECT_EQ(a.parent(c), b.parent(c));
  }
}

TEST(Catalogue, ComesBackFromAnArchive) {
  Catalogue catalogue = small_shop();
  catalogue.set_available(ItemIndex{1}, false);
  catalogue.erase(ItemIndex{0});  // its category stays, and keeps its number
  MemoryFiles files;
  for (int round = 0; round < 2; ++round) {
    ArchiveWriter writer(files, "/a", "test");
    catalogue.save(writer);
    ASSERT_TRUE(writer.finish().ok());
    const auto reader = ArchiveReader::open(files, "/a", "test");
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    auto loaded = Catalogue::load(**reader);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    expect_equal(catalogue, *loaded);
    catalogue = *loaded;
  }
  catalogue.put(ItemIndex{7}, item(R"({"id":"h","category":["Toys","New"]})"));
  EXPECT_EQ(catalogue.category(ItemIndex{7}), 4u);
}

TEST(Catalogue, ArchivesThatContradictThemselvesAreRejected) {
  const auto load = [](const std::vector<std::string>& items,
                       const std::vector<std::uint8_t>& flags,
                       const std::vector<std::string>& categories) {
    MemoryFiles files;
    ArchiveWriter writer(files, "/a", "test");
    writer.enter("catalogue");
    writer.strings("items", items);
    writer.tensor("flags", std::span<const std::uint8_t>(flags));
    writer.strings("categories", categories);
    writer.strings("vectors/names", {});
    writer.leave();
    EXPECT_TRUE(writer.finish().ok());
    return Catalogue::load(**ArchiveReader::open(files, "/a", "test")).ok();
  };
  EXPECT_TRUE(load({"{}"}, {3}, {R"(["a"])", R"(["a","b"])"}));
  EXPECT_FALSE(load({"{}"}, {3, 3}, {}));
  EXPECT_FALSE(load({"{"}, {3}, {}));
  EXPECT_FALSE(load({R"({"price":"x"})"}, {3}, {}));
  EXPECT_FALSE(load({"{}"}, {3}, {R"(["a"])", R"(["a"])"}));
  EXPECT_FALSE(load({"{}"}, {3}, {"7"}));
}

TEST(Catalogue, ItemsComeAndGo) {
  Catalogue catalogue = small_shop();
  catalogue.set_available(ItemIndex{2}, false);
  EXPECT_FALSE(catalogue.available(ItemIndex{2}));
  EXPECT_FALSE(catalogue.item(ItemIndex{2}).available);
  catalogue.erase(ItemIndex{4});
  EXPECT_FALSE(catalogue.known(ItemIndex{4}));
  EXPECT_FALSE(catalogue.available(ItemIndex{4}));
  EXPECT_EQ(catalogue.title(ItemIndex{4}), "");
  catalogue.put(ItemIndex{4}, item(R"({"id":"e","title":"Ball again"})"));
  EXPECT_TRUE(catalogue.available(ItemIndex{4}));
  EXPECT_EQ(catalogue.category(ItemIndex{4}), kNoCategory);
  catalogue.set_available(ItemIndex{9}, false);
  EXPECT_EQ(catalogue.size(), 10u);
  EXPECT_FALSE(catalogue.available(ItemIndex{9}));
}

}  // namespace
}  // namespace vitrine
