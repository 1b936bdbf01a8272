#include "model/vae_model.h"

#include <algorithm>
#include <cmath>

#include "base/finite.h"
#include "nn/dense.h"

namespace vitrine {
namespace {

constexpr std::uint32_t kNone = 0xffffffff;

}  // namespace

bool add_bag(PersonBags& bags, std::span<const HistoryEvent> history, const KnownItems& known) {
  const auto first = static_cast<std::ptrdiff_t>(bags.items.size());
  for (const HistoryEvent& event : history) {
    if (known.has(event.item) && event.weight > 0) bags.items.push_back(raw(event.item));
  }
  std::sort(bags.items.begin() + first, bags.items.end());
  bags.items.erase(std::unique(bags.items.begin() + first, bags.items.end()), bags.items.end());
  const std::size_t count = bags.items.size() - static_cast<std::size_t>(first);
  bags.weights.resize(bags.items.size(),
                      1 / std::sqrt(static_cast<float>(std::max<std::size_t>(1, count))));
  bags.offsets.push_back(static_cast<std::uint32_t>(bags.items.size()));
  return count > 0;
}

std::vector<std::uint32_t> persons_with_items(const Histories& histories, const KnownItems& known) {
  std::vector<std::uint32_t> persons;
  for (std::size_t r = 0; r < histories.rows(); ++r) {
    const auto row = histories.row(r);
    if (std::any_of(row.begin(), row.end(),
                    [&](const HistoryEvent& e) { return known.has(e.item) && e.weight > 0; })) {
      persons.push_back(static_cast<std::uint32_t>(r));
    }
  }
  return persons;
}

std::span<const float> kept_weights(nn::Tape& tape, const PersonBags& bags, float rate) {
  if (!tape.training() || rate == 0) return bags.weights;
  const auto count = static_cast<std::int64_t>(bags.weights.size());
  float* kept = tape.scratch(count);
  std::fill_n(kept, count, 0.0f);
  tape.operations().add_dropout(count, tape.draw(), rate, bags.weights.data(), kept);
  return {kept, bags.weights.size()};
}

nn::Var with_one(nn::Tape& tape, nn::Var rows) {
  const nn::Var ones = tape.make(tape.rows(rows), 1);
  std::fill_n(tape.value(ones), tape.rows(rows), 1.0f);
  return concat(tape, rows, ones);
}

VaeRecommender::VaeRecommender(Parts parts)
    : parts_(std::move(parts)),
      vectors_(parts_.parameters[parts_.network->items()].view(), parts_.known),
      tapes_(parts_.parameters) {}

Result<std::unique_ptr<const VaeRecommender>> VaeRecommender::create(Parts parts,
                                                                     ArchiveReader* archive) {
  if (!parts.parameters.finite())
    return Error{Code::kInvalid, "not finite: use a smaller learning_rate"};
  std::unique_ptr<VaeRecommender> recommender(new VaeRecommender(std::move(parts)));
  VT_TRY(recommender->vectors_.make_search(archive));
  return std::unique_ptr<const VaeRecommender>(std::move(recommender));
}

bool VaeRecommender::answer(const Query& query, std::span<float> out) const {
  auto workspace = tapes_.take();
  nn::Tape& tape = workspace->tape;
  PersonBags& bags = workspace->scratch;
  bags.clear();
  bool answers = add_bag(bags, query.history, parts_.known);
  if (answers) {
    tape.begin(nn::Tape::Mode::kServing);
    const nn::Var row = parts_.network->decode(tape, parts_.network->encode(tape, bags, 0).mean);
    std::copy_n(tape.value(row), out.size() - 1, out.begin());
    out.back() = 1;
    answers = all_finite(out);
  }
  tapes_.give_back(std::move(workspace));
  return answers;
}

void VaeRecommender::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks,
                              int n, CandidateBlock& out) const {
  vectors_.retrieve(
      queries, masks, n,
      [this](const Query& query, std::span<float> to) { return answer(query, to); }, out);
}

void VaeRecommender::score(const Query& query, std::span<const ItemIndex> items,
                           std::span<float> scores) const {
  vectors_.score(query, items, scores,
                 [this](const Query& asked, std::span<float> to) { return answer(asked, to); });
}

void VaeRecommender::save(ArchiveWriter& writer) const {
  parts_.known.save(writer);
  parts_.parameters.save(writer, "network");
  vectors_.save(writer);
}

void VaeSample::draw(const Histories& histories, std::span<const std::uint32_t> persons,
                     const Random& random) {
  const auto all = known_.seen();
  if (negatives_ == 0 || static_cast<std::size_t>(negatives_) >= all.size()) {
    items_.assign(all.begin(), all.end());
  } else {
    items_.clear();
    for (const std::uint32_t person : persons) {
      for (const HistoryEvent& event : histories.row(person)) {
        if (known_.has(event.item) && event.weight > 0) items_.push_back(raw(event.item));
      }
    }
    std::sort(items_.begin(), items_.end());
    items_.erase(std::unique(items_.begin(), items_.end()), items_.end());
    const auto own = static_cast<std::ptrdiff_t>(items_.size());
    for (int n = 0; n < negatives_; ++n) {
      const std::uint32_t item = all[random.below(static_cast<std::uint64_t>(n), all.size())];
      if (!std::binary_search(items_.begin(), items_.begin() + own, item)) items_.push_back(item);
    }
    std::sort(items_.begin() + own, items_.end());
    items_.erase(std::unique(items_.begin() + own, items_.end()), items_.end());
    // An item that nobody of the batch has is there unless all draws missed it.
    const double missed = std::pow(1 - 1 / static_cast<double>(all.size()), negatives_);
    log_q_.assign(items_.size(), static_cast<float>(std::log(1 - missed)));
    std::fill_n(log_q_.begin(), own, 0.0f);
  }
  place_of_.resize(known_.items(), kNone);
  for (std::size_t p = 0; p < items_.size(); ++p)
    place_of_[items_[p]] = static_cast<std::uint32_t>(p);
}

void VaeSample::targets_of(const PersonBags& bags, Targets& out) const {
  out.offsets = bags.offsets;
  out.ids.clear();
  for (const std::uint32_t item : bags.items) out.ids.push_back(place_of_[item]);
  out.amounts.assign(bags.items.size(), 1);
}

double vae_step_bytes(double items, int batch, int negatives, double width) {
  constexpr double kItemsOfPerson = 40;  // that nobody else of the batch has, at a guess
  const double sample =
      negatives == 0 ? items : std::min(items, kItemsOfPerson * batch + negatives);
  return 8 * sample * (batch + kNeuralShards * width);
}

Status check_vae_shapes(const ArchiveReader& reader, std::int64_t items) {
  for (const char* name : {"network/input", "network/items"}) {
    VT_TRY(const auto shape, reader.shape(name));
    if (shape.size() != 2 || shape[0] != items)
      return Error{Code::kCorrupt, std::string(name) + " has not as many rows as there are items"};
  }
  return {};
}

}  // namespace vitrine
