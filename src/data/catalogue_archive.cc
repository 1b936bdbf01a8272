#include "base/json.h"
#include "data/catalogue.h"

namespace vitrine {
namespace {

constexpr std::string_view kScope = "catalogue";
constexpr std::uint8_t kKnown = 1, kAvailable = 2;

Error corrupt(std::string_view why) {
  return Error{Code::kCorrupt, "catalogue: " + std::string(why)};
}

// Vectors of one name over all items, as the archive holds them.
struct VectorColumn {
  std::vector<std::uint32_t> items;
  std::vector<std::uint64_t> offsets{0};
  std::vector<float> values;

  void add(std::uint32_t item, const std::vector<float>& vector) {
    items.push_back(item);
    values.insert(values.end(), vector.begin(), vector.end());
    offsets.push_back(values.size());
  }
};

std::string vector_scope(std::size_t k) { return "vectors/" + std::to_string(k); }

// The rest of an archived vector column, handed to `put(item, vector)`.
template <class Put>
Status read_vectors(const ArchiveReader& reader, const std::string& scope, std::size_t rows,
                    Put put) {
  VT_TRY(const auto items, reader.tensor<std::uint32_t>(scope + "/items"));
  VT_TRY(const auto offsets, reader.tensor<std::uint64_t>(scope + "/offsets"));
  VT_TRY(const auto values, reader.tensor<float>(scope + "/values"));
  if (offsets.size() != items.size() + 1 || offsets[0] != 0)
    return corrupt(scope + " has wrong offsets");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i] >= rows) return corrupt(scope + " names an item that is not there");
    if (offsets[i] > offsets[i + 1] || offsets[i + 1] > values.size()) {
      return corrupt(scope + " has wrong offsets");
    }
    const auto part = values.subspan(offsets[i], offsets[i + 1] - offsets[i]);
    put(items[i], std::vector<float>(part.begin(), part.end()));
  }
  return {};
}

// An archive's scope for the length of a block.
template <class Archive>
class Scope {
 public:
  Scope(Archive& archive, std::string_view name) : archive_(archive) { archive_.enter(name); }
  ~Scope() { archive_.leave(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Archive& archive_;
};

}  // namespace

void Catalogue::save(ArchiveWriter& writer) const {
  const Scope scope(writer, kScope);
  std::vector<std::string> items, categories;
  std::vector<std::uint8_t> flags;
  std::map<std::string, VectorColumn> vectors;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    Value json = item_to_json(row.item);
    json.as_table()->erase("vectors");
    items.push_back(row.known ? to_json(json) : std::string());
    flags.push_back(
        static_cast<std::uint8_t>((row.known ? kKnown : 0) | (row.available ? kAvailable : 0)));
    for (const auto& [name, vector] : row.item.vectors) {
      vectors[name].add(static_cast<std::uint32_t>(i), vector);
    }
  }
  for (const auto& path : category_paths_) {
    categories.push_back(to_json(List(path.begin(), path.end())));
  }
  writer.strings("items", items);
  writer.tensor("flags", std::span<const std::uint8_t>(flags));
  writer.strings("categories", categories);
  std::vector<std::string> names;
  for (const auto& [name, column] : vectors) {
    const std::string place = vector_scope(names.size());
    writer.tensor(place + "/items", std::span<const std::uint32_t>(column.items));
    writer.tensor(place + "/offsets", std::span<const std::uint64_t>(column.offsets));
    writer.tensor(place + "/values", std::span<const float>(column.values));
    names.push_back(name);
  }
  writer.strings("vectors/names", names);
}

Result<Catalogue> Catalogue::load(const ArchiveReader& reader) {
  const std::string scope = std::string(kScope) + "/";
  VT_TRY(const auto items, reader.strings(scope + "items"));
  VT_TRY(const auto flags, reader.tensor<std::uint8_t>(scope + "flags"));
  VT_TRY(const auto categories, reader.strings(scope + "categories"));
  VT_TRY(const auto names, reader.strings(scope + "vectors/names"));
  if (flags.size() != items.size()) return corrupt("items and flags differ in number");
  Catalogue catalogue;
  for (const std::string& text : categories) {
    VT_TRY(const Value json, parse_json(text));
    Item path;
    VT_TRY(patch_item(path, Table{{"category", json}}));
    catalogue.add_category(path.category);
  }
  if (catalogue.categories() != categories.size()) return corrupt("a category occurs twice");
  catalogue.resize(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const ItemIndex index{static_cast<std::uint32_t>(i)};
    if ((flags[i] & kKnown) != 0) {
      VT_TRY(const Value json, parse_json(items[i]));
      Item item;
      VT_TRY(patch_item(item, json));
      catalogue.put(index, item);
    }
    catalogue.set_available(index, (flags[i] & kAvailable) != 0);
  }
  for (std::size_t k = 0; k < names.size(); ++k) {
    VT_TRY(read_vectors(reader, scope + vector_scope(k), items.size(),
                        [&](std::uint32_t item, std::vector<float> vector) {
                          catalogue.rows_[item].item.vectors.emplace_back(names[k],
                                                                          std::move(vector));
                        }));
  }
  return catalogue;
}

}  // namespace vitrine
