#include "model/blend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "index/rows.h"
#include "model/blend_members.h"

namespace vitrine {
namespace {

class Blend final : public Model {
 public:
  // Every member has a model and a positive weight.
  Blend(Table options, bool ranks, int depth, std::vector<BlendMember> members,
        std::vector<float> weights)
      : options_(std::move(options)),
        ranks_(ranks),
        depth_(depth),
        members_(std::move(members)),
        weights_(std::move(weights)) {}

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    if (n <= 0) return;
    const std::size_t most = queries_at_once(depth_);
    for (std::size_t begin = 0; begin < queries.size(); begin += most) {
      const auto batch = queries.subspan(begin, std::min(most, queries.size() - begin));
      const MemberLists lists(members_, batch, depth_);
      for (std::size_t q = 0; q < batch.size(); ++q) {
        const ItemMask& mask = mask_of(masks, begin + q);
        const std::vector<Candidate> best =
            ranks_ ? by_ranks(lists, q, mask) : by_scores(lists, batch[q], q, mask, n);
        const std::size_t count = std::min(best.size(), static_cast<std::size_t>(n));
        std::copy_n(best.begin(), count, out.room(begin + q).begin());
        out.set_count(begin + q, count);
      }
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    const MemberLists lists(members_, {&query, 1}, depth_);
    if (!ranks_) {
      sum_of_scores(query, lists.scales(0), items, scores);
      return;
    }
    const std::vector<Candidate> sums = sums_of_ranks(lists, 0);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto at =
          std::lower_bound(sums.begin(), sums.end(), items[i],
                           [](const Candidate& c, ItemIndex item) { return c.item < item; });
      scores[i] = at != sums.end() && at->item == items[i] ? at->score : 0;
    }
  }

  void save(ArchiveWriter& writer) const override {
    writer.document("options", options_);
    writer.tensor("weights", weights_);
    for (const BlendMember& member : members_) {
      writer.enter("members/" + member.name);
      member.model->save(writer);
      writer.leave();
    }
  }

 private:
  void sum_of_scores(const Query& query, std::span<const float> scales,
                     std::span<const ItemIndex> items, std::span<float> sums) const {
    std::vector<float> scores(items.size());
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (std::size_t m = 0; m < members_.size(); ++m) {
      if (scales[m] == 0) continue;
      members_[m].model->score(query, items, scores);
      const float factor = members_[m].weight * scales[m];
      for (std::size_t i = 0; i < items.size(); ++i) {
        sums[i] = std::fma(factor, scores[i], sums[i]);
      }
    }
  }

  // How members' lists are read: the first `window` of each, or lists of `window` under the mask
  // when that is beyond `depth`.
  struct Reading {
    std::vector<ItemIndex> items;  // that the mask allows, ascending
    float bound = 0;               // what is in no list does not score above it ...
    bool whole = true;             // ... unless there is no such item
  };
  void read_list(std::span<const Candidate> list, std::size_t window, bool cut, float factor,
                 const ItemMask& mask, Reading& reading) const {
    for (const Candidate& c : list.first(std::min(window, list.size()))) {
      if (mask.allows(c.item)) reading.items.push_back(c.item);
    }
    if (cut || list.size() > window) reading.whole = false;
    // An item that the member cannot list scores 0 at most, or less than anything in the list.
    const float last = list.empty() ? 0 : list[std::min(window, list.size()) - 1].score;
    reading.bound = std::fma(factor, std::max(last, 0.0f), reading.bound);
  }
  Reading read(const MemberLists& lists, std::span<const float> scales, const Query& query,
               std::size_t q, const ItemMask& mask, std::size_t window) const {
    Reading reading;
    CandidateBlock block;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const float factor = members_[m].weight * scales[m];
      const auto depth = static_cast<std::size_t>(depth_);
      if (window <= depth || lists.list(m, q).size() < depth) {
        const auto list = lists.list(m, q);
        read_list(list, window, list.size() == depth, factor, mask, reading);
      } else {
        members_[m].model->retrieve({&query, 1}, {&mask, 1}, static_cast<int>(window), block);
        read_list(block.row(0), window, block.row(0).size() == window, factor, mask, reading);
      }
    }
    std::sort(reading.items.begin(), reading.items.end());
    reading.items.erase(std::unique(reading.items.begin(), reading.items.end()),
                        reading.items.end());
    return reading;
  }

  std::vector<Candidate> by_scores(const MemberLists& lists, const Query& query, std::size_t q,
                                   const ItemMask& mask, int n) const {
    const std::vector<float> scales = lists.scales(q);
    const auto wanted = static_cast<std::size_t>(n);
    constexpr std::size_t kFirst = 64, kMost = std::size_t{1} << 30;
    for (std::size_t window = std::max(kFirst, std::min(2 * wanted, kMost));; window *= 4) {
      window = std::min(window, kMost);
      const Reading reading = read(lists, scales, query, q, mask, window);
      std::vector<float> scores(reading.items.size());
      sum_of_scores(query, scales, reading.items, scores);
      std::vector<Candidate> best;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        if (!std::isnan(scores[i])) best.push_back({reading.items[i], scores[i]});
      }
      const std::size_t count = std::min(wanted, best.size());
      std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(),
                        better);
      const bool settled = count == wanted && best[count - 1].score > reading.bound;
      if (settled || reading.whole || window == kMost) {
        best.resize(count);
        return best;
      }
    }
  }

  // By item.
  std::vector<Candidate> sums_of_ranks(const MemberLists& lists, std::size_t q) const {
    std::vector<Candidate> sums;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const auto list = lists.list(m, q);
      for (std::size_t p = 0; p < list.size(); ++p) {
        sums.push_back({list[p].item, members_[m].weight * reciprocal_rank(p)});
      }
    }
    std::stable_sort(sums.begin(), sums.end(),
                     [](const Candidate& a, const Candidate& b) { return a.item < b.item; });
    std::size_t distinct = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (distinct > 0 && sums[distinct - 1].item == sums[i].item)
        sums[distinct - 1].score += sums[i].score;
      else
        sums[distinct++] = sums[i];
    }
    sums.resize(distinct);
    return sums;
  }

  std::vector<Candidate> by_ranks(const MemberLists& lists, std::size_t q,
                                  const ItemMask& mask) const {
    std::vector<Candidate> sums = sums_of_ranks(lists, q);
    std::erase_if(sums, [&](const Candidate& c) { return !mask.allows(c.item); });
    std::sort(sums.begin(), sums.end(), better);
    return sums;
  }

  Table options_;
  bool ranks_;
  int depth_;
  std::vector<BlendMember> members_;
  std::vector<float> weights_;  // of all members in the options
};

Table table_of(const BlendSetup& setup) {
  Table members;
  for (const BlendMember& member : setup.members) {
    Table keys;
    if (member.kind->name != member.name) keys.set("kind", member.kind->name);
    for (const auto& [key, value] : member.options) keys.set(key, value);
    members.set(member.name, std::move(keys));
  }
  Table table = write_options(setup.options);
  table.set("members", std::move(members));
  return table;
}

std::unique_ptr<const Model> blend_of(BlendSetup setup) {
  Table table = table_of(setup);
  std::vector<float> weights;
  for (const BlendMember& member : setup.members) weights.push_back(member.weight);
  std::erase_if(setup.members, [](const BlendMember& m) { return m.model == nullptr; });
  return std::make_unique<const Blend>(std::move(table), setup.options.normalize == "rank",
                                       setup.options.depth, std::move(setup.members),
                                       std::move(weights));
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_blend(const Run& run, const Table& options,
                                               const TrainingSet& set) {
  VT_TRY(BlendSetup setup, read_blend(options));
  if (setup.options.weights.empty() && setup.members.size() > 1) {
    VT_TRY(const std::vector<float> weights, learn_weights(run, setup.options, setup.members, set));
    for (std::size_t m = 0; m < weights.size(); ++m) setup.members[m].weight = weights[m];
  }
  TrainingSet whole = set;
  whole.validator = nullptr;
  VT_TRY(fit_members(run, whole, setup.members));
  return blend_of(std::move(setup));
}

Result<std::unique_ptr<const Model>> load_blend(ArchiveReader& reader, const Catalogue& catalogue) {
  const auto corrupt = [](const std::string& what) {
    return Error{Code::kCorrupt, "blend: " + what};
  };
  VT_TRY(const Value document, reader.document("options"));
  if (document.as_table() == nullptr) return corrupt("options must be a table");
  auto setup = read_blend(*document.as_table());
  if (!setup.ok()) return corrupt(setup.error().message);
  VT_TRY(const Array<float> weights, reader.tensor<float>("weights"));
  if (weights.size() != setup->members.size()) return corrupt("one weight per member");
  for (std::size_t m = 0; m < weights.size(); ++m) {
    BlendMember& member = setup->members[m];
    member.weight = weights[m];
    if (!(member.weight >= 0) || !std::isfinite(member.weight)) {
      return corrupt("weights must be finite and not negative");
    }
    if (member.weight == 0) continue;
    reader.enter("members/" + member.name);
    auto model = member.kind->load(reader, catalogue);
    reader.leave();
    if (!model.ok()) return model.error().prefixed("blend member '" + member.name + "'");
    member.model = std::move(model).value();
  }
  return blend_of(std::move(setup).value());
}

Result<Table> complete_blend(const Table& options) {
  VT_TRY(const BlendSetup setup, read_blend(options));
  return table_of(setup);
}

}  // namespace vitrine
