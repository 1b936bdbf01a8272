// Approximate search for the largest products among millions of item vectors: an inverted file
// (Jegou, Douze, Schmid 2011, "Product quantization for nearest neighbor search", section IV).
// Items lie in lists by k-means; a query visits the lists whose means have the largest products
// with it, screens them in bytes and scores what may enter in float32, so that only what was not
// visited can be missed.
//
// How many lists a query visits was measured at build: enough to find the wanted share of the best
// k, for several k, among sample queries. Under a mask that allows a share f of the items, the best
// n are spread like the best n / f; f is the least share met, of all items or of those in the lists
// visited so far. Lists without an allowed item do not count, and a narrow mask's items are all
// scored. So a list has n items whenever the mask has.
//
// The same vectors, options and seed give the same bytes for any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/archive.h"
#include "base/parallel.h"
#include "base/result.h"
#include "index/byte_scan.h"
#include "index/scan.h"

namespace vitrine {

inline constexpr double kClusteredNormMax = 1e15;

struct ClusterOptions {
  std::int64_t lists = 0;  // 0: four times the root of the number of items
  double recall = 0.97;    // share of the best k that sample queries find, mean
  std::uint64_t seed = 1;
};

// Immutable; thread-safe. Holds bytes (mapped where it was loaded), not the float32 vectors:
// search() is given the table that it was built from.
class ClusteredItems {
 public:
  // Items are rows `names` of `vectors`, ascending; values are finite and norms below
  // kClusteredNormMax, else kInvalid. `queries` are samples of what will be asked, of the same
  // width; empty: mixtures of two items each.
  static Result<ClusteredItems> build(MatrixView<const float> vectors,
                                      std::span<const ItemIndex> names,
                                      MatrixView<const float> queries,
                                      const ClusterOptions& options, ThreadPool& pool);

  // The best n for each row of `queries`. `vectors` has the rows of build(), VT_CHECK on its shape.
  void search(MatrixView<const float> queries, MatrixView<const float> vectors,
              std::span<const ItemMask> masks, int n, CandidateBlock& out) const;

  // The bytes: docs/formats.md, "Clustered items". load() checks everything that a search relies
  // on, else kCorrupt; `rows` is the number of rows of the table, `width` its width.
  void save(ArchiveWriter& archive) const;
  static Result<ClusteredItems> load(ArchiveReader& archive, std::int64_t rows, std::int64_t width);
  static bool saved_in(const ArchiveReader& archive);
  // The recalls of kLevels of all that save() wrote into an archive, the least of each level where
  // there are several (a blend's members); empty where there is none.
  static Result<std::vector<double>> saved_recalls(const ArchiveReader& archive);

  // What was measured at build: of the best k, the share found by visiting `probes` lists.
  struct Level {
    std::uint32_t k, probes;
    double recall;
  };
  static constexpr std::array<std::uint32_t, 7> kLevels = {10, 20, 50, 100, 200, 500, 1'000};
  std::span<const Level> levels() const { return levels_; }
  std::int64_t items() const { return static_cast<std::int64_t>(items_.size()); }
  std::int64_t lists() const { return static_cast<std::int64_t>(chunks_.size()); }
  bool has(ItemIndex item) const {
    return raw(item) < places_.size() && places_[raw(item)] != kNoPosition;
  }
  std::span<const ItemIndex> list(std::size_t l) const {  // ascending
    return items_.subspan(offsets_[l], offsets_[l + 1] - offsets_[l]);
  }
  std::size_t bytes() const;  // of memory, mapped or not
  // What that is, about, for so many vectors by the options' defaults.
  static std::uint64_t memory_bytes_for(std::uint64_t items, std::int64_t width);

 private:
  friend class ClusterBuilder;
  class Search;
  ClusteredItems() = default;

  ByteItems byte_items(MatrixView<const float> vectors) const;
  std::size_t probes(double k) const;  // lists to visit for the best k
  // Lists that are visited at most for the sake of the measured recall.
  std::size_t most_probes() const {
    constexpr std::size_t kShare = 4, kLeast = 16;
    return std::min(chunks_.size(), std::max(kLeast, chunks_.size() / kShare));
  }
  void finish();  // makes what is not saved from what is

  std::int64_t width_ = 0;
  Array<std::uint32_t> offsets_;  // list l holds positions offsets[l] to offsets[l + 1]
  Array<ItemIndex> items_;        // by position
  Array<std::uint8_t> bytes_;     // by position, and so are the scales
  Array<float> scales_;
  Array<double> bounds_;  // norm, error, rounded norm of each list
  Array<float> means_;    // of the vectors of each list
  std::vector<Level> levels_;
  // Not saved.
  std::unique_ptr<const PackedItems> lists_;  // the means: list l is item l
  std::vector<PackedItems::Chunk> chunks_;    // the lists, each as if it had the largest norm
  std::vector<std::uint32_t> places_;         // positions by item
  ScreenBounds widest_;
};

}  // namespace vitrine
