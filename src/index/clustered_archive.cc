#include <algorithm>
#include <cmath>

#include "base/finite.h"
#include "index/clustered.h"

namespace vitrine {
namespace {

constexpr std::string_view kScope = "clusters";
// No byte, scale or bound that build() writes exceeds these; larger ones might overflow a score.
constexpr double kScaleMax = kClusteredNormMax / 127, kBoundMax = 2 * kClusteredNormMax;

Error damaged(std::string_view what) {
  return Error{Code::kCorrupt,
               "clustered items: " + std::string(what) + "; fit the model again or restore it"};
}

bool within(std::span<const double> values, double most) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v >= 0 && v <= most; });
}

bool ascend_to(std::span<const std::uint32_t> offsets, std::size_t last) {
  return offsets.size() >= 2 && offsets.front() == 0 && offsets.back() == last &&
         std::adjacent_find(offsets.begin(), offsets.end(), std::greater_equal<>()) ==
             offsets.end();
}

bool differ(std::span<const ItemIndex> items, std::int64_t rows) {
  std::vector<bool> met(static_cast<std::size_t>(rows), false);
  for (const ItemIndex item : items) {
    if (std::int64_t{raw(item)} >= rows || met[raw(item)]) return false;
    met[raw(item)] = true;
  }
  return true;
}

// The scope is left whatever happens.
class Scope {
 public:
  explicit Scope(ArchiveReader& archive) : archive_(archive) { archive_.enter(kScope); }
  ~Scope() { archive_.leave(); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  ArchiveReader& archive_;
};

}  // namespace

bool ClusteredItems::saved_in(const ArchiveReader& archive) {
  return archive.has(std::string(kScope) + "/offsets");
}

Result<std::vector<double>> ClusteredItems::saved_recalls(const ArchiveReader& archive) {
  const std::string last = std::string(kScope) + "/recall";
  std::vector<double> least;
  for (const std::string& name : archive.names()) {
    if (name != last && !name.ends_with("/" + last)) continue;
    VT_TRY(const auto recalls, archive.tensor<double>(name));
    if (recalls.size() != kLevels.size()) return damaged("no measured recall");
    if (least.empty()) least.assign(kLevels.size(), 1);
    for (std::size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], recalls[i]);
  }
  return least;
}

void ClusteredItems::save(ArchiveWriter& archive) const {
  const std::int64_t count = items(), lists = this->lists();
  std::vector<std::uint32_t> probes;
  std::vector<double> recall;
  for (const Level& level : levels_) {
    probes.push_back(level.probes);
    recall.push_back(level.recall);
  }
  archive.enter(kScope);
  archive.tensor("offsets", offsets_);
  archive.tensor("items", items_);
  archive.tensor("bytes", bytes_, {count, byte_width(width_)});
  archive.tensor("scales", scales_);
  archive.tensor("bounds", bounds_, {lists, 3});
  archive.tensor("means", means_, {lists, width_});
  archive.tensor("probes", probes);
  archive.tensor("recall", recall);
  archive.leave();
}

Result<ClusteredItems> ClusteredItems::load(ArchiveReader& archive, std::int64_t rows,
                                            std::int64_t width) {
  const Scope scope(archive);
  ClusteredItems index;
  index.width_ = width;
  VT_TRY(index.offsets_, archive.tensor<std::uint32_t>("offsets"));
  VT_TRY(index.items_, archive.tensor<ItemIndex>("items"));
  VT_TRY(index.bytes_, archive.tensor<std::uint8_t>("bytes"));
  VT_TRY(index.scales_, archive.tensor<float>("scales"));
  VT_TRY(index.bounds_, archive.tensor<double>("bounds"));
  VT_TRY(index.means_, archive.tensor<float>("means"));
  VT_TRY(const auto probes, archive.tensor<std::uint32_t>("probes"));
  VT_TRY(const auto recall, archive.tensor<double>("recall"));
  const std::size_t count = index.items_.size();
  if (width < 1 || width > kByteWidthMax) return damaged("too wide");
  if (!ascend_to(index.offsets_.span(), count)) return damaged("the lists do not ascend");
  if (!differ(index.items_.span(), rows)) return damaged("items beyond the table, or twice");
  const std::size_t lists = index.offsets_.size() - 1;
  if (index.bytes_.size() != count * static_cast<std::size_t>(byte_width(width)) ||
      index.scales_.size() != count || index.bounds_.size() != 3 * lists ||
      index.means_.size() != lists * static_cast<std::size_t>(width)) {
    return damaged("sizes do not agree");
  }
  const auto good = [](float v) { return v >= 0 && double{v} <= kScaleMax; };
  if (!std::all_of(index.scales_.begin(), index.scales_.end(), good) ||
      !within(index.bounds_.span(), kBoundMax) || !all_finite(index.means_.span())) {
    return damaged("values that no vector has");
  }
  if (probes.size() != kLevels.size() || recall.size() != kLevels.size() ||
      !within(recall.span(), 1)) {
    return damaged("no measured recall");
  }
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (probes[i] < 1 || probes[i] > lists) return damaged("lists to visit");
    index.levels_.push_back({kLevels[i], probes[i], recall[i]});
  }
  index.finish();
  return index;
}

}  // namespace vitrine
