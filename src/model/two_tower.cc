#include "model/two_tower.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "model/item_attributes.h"
#include "model/item_vectors.h"
#include "model/memory.h"
#include "model/options_archive.h"
#include "model/two_tower_network.h"
#include "nn/dense.h"
#include "nn/losses.h"

namespace vitrine {
namespace {

using nn::Parameters;
using nn::Tape;
using nn::Var;

TwoTowerShape shape_of(const TwoTowerOptions& options, std::int64_t items,
                       std::int64_t attributes) {
  TwoTowerShape shape;
  shape.items = items;
  shape.attributes = attributes;
  shape.factors = options.factors;
  shape.hidden = options.hidden;
  shape.latest = options.latest;
  shape.history_decay = static_cast<float>(options.history_decay);
  shape.dropout = static_cast<float>(options.dropout);
  return shape;
}

struct TwoTowerState {
  Parameters user;                          // of the user tower
  std::vector<std::uint32_t> seen, listed;  // items with events; items with a vector: ascending
  Matrix vectors;                           // of the items listed, until a model has taken them
};

class TwoTower final : public Model {
 public:
  TwoTower(const TwoTowerOptions& options, const TwoTowerNetwork& network, TwoTowerState state)
      : options_(options),
        network_(network),
        state_(std::move(state)),
        seen_(static_cast<std::size_t>(network.shape().items)),
        listed_(state_.listed, static_cast<std::uint32_t>(network.shape().items)),
        vectors_(by_item(state_, network.shape().items).view(), listed_) {
    for (const std::uint32_t item : state_.seen) seen_.set(item);
    state_.vectors = Matrix();
  }

  // `archive`: where it is loaded from, or null.
  static Result<std::unique_ptr<const Model>> make(const TwoTowerOptions& options,
                                                   const TwoTowerNetwork& network,
                                                   TwoTowerState state, ArchiveReader* archive) {
    auto model = std::make_unique<TwoTower>(options, network, std::move(state));
    VT_TRY(model->vectors_.make_search(archive));
    return std::unique_ptr<const Model>(std::move(model));
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    Tape tape(state_.user);
    vectors_.retrieve(queries, masks, n, encoder(tape), out);
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    Tape tape(state_.user);
    vectors_.score(query, items, scores, encoder(tape));
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, static_cast<std::uint32_t>(network_.shape().items));
    writer.tensor("seen", state_.seen);
    writer.tensor("listed", state_.listed);
    Matrix vectors(static_cast<std::int64_t>(state_.listed.size()), options_.factors);
    for (std::size_t i = 0; i < state_.listed.size(); ++i) {
      const auto from = vectors_.vector(ItemIndex{state_.listed[i]});
      std::copy(from.begin(), from.end(), vectors.row(static_cast<std::int64_t>(i)).begin());
    }
    nn::save_matrix(writer, "vectors", vectors);
    state_.user.save(writer, "user");
    vectors_.save(writer);
  }

 private:
  static Matrix by_item(const TwoTowerState& state, std::int64_t items) {
    Matrix table(items, state.vectors.cols());
    for (std::size_t i = 0; i < state.listed.size(); ++i) {
      const auto from = state.vectors.row(static_cast<std::int64_t>(i));
      std::copy(from.begin(), from.end(), table.row(state.listed[i]).begin());
    }
    return table;
  }

  ItemVectors::Encode encoder(Tape& tape) const {
    return [this, &tape](const Query& query, std::span<float> row) {
      const std::vector<float> u = user_vector(query, tape);
      std::copy(u.begin(), u.end(), row.begin());
      return !u.empty();
    };
  }

  // Empty: no known item. One history at a time: bits do not depend on the batch.
  std::vector<float> user_vector(const Query& query, Tape& tape) const {
    std::vector<std::uint32_t> items;
    for (std::size_t e = query.history.size(); e-- > 0;) {
      const HistoryEvent& event = query.history[e];
      if (!seen_.test(raw(event.item)) || !(event.weight > 0)) continue;
      items.push_back(raw(event.item));
      if (items.size() == static_cast<std::size_t>(options_.history_max)) break;
    }
    if (items.empty()) return {};
    std::reverse(items.begin(), items.end());
    HistoryBags bags;
    bags.add(items, network_.shape().history_decay);
    tape.begin(Tape::Mode::kServing);
    const Var u = network_.users(tape, bags);
    return {tape.value(u), tape.value(u) + tape.cols(u)};
  }

  TwoTowerOptions options_;
  TwoTowerNetwork network_;
  TwoTowerState state_;
  Bitmap seen_;
  KnownItems listed_;
  ItemVectors vectors_;
};

// Attributes of items, those that no taken item has left out: nothing can be learned of them.
SparseRows learnable_attributes(const TrainingSet& set, const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const Interactions cells = attribute_cells(set.catalogue, set.interactions.items, names);
  const auto taken = [&](std::uint32_t item) {
    return !set.interactions.by_item.row(item).empty();
  };
  std::vector<std::uint8_t> learnable;
  for (std::size_t a = 0; a < cells.by_row.rows(); ++a) {
    const auto holders = cells.by_row.row(a);
    learnable.push_back(std::any_of(holders.begin(), holders.end(), taken) ? 1 : 0);
  }
  std::vector<std::uint64_t> offsets{0};
  std::vector<std::uint32_t> columns;
  for (std::uint32_t i = 0; i < cells.items; ++i) {
    for (const std::uint32_t a : cells.by_item.row(i)) {
      if (learnable[a] != 0) columns.push_back(a);
    }
    offsets.push_back(columns.size());
  }
  std::vector<float> ones(columns.size(), 1.0f);
  return {std::move(offsets), std::move(columns), std::move(ones)};
}

std::int64_t attribute_count(const SparseRows& attributes) {
  const auto most = std::max_element(attributes.columns.begin(), attributes.columns.end());
  return most == attributes.columns.end() ? 0 : std::int64_t{*most} + 1;
}

class TwoTowerTask final : public NeuralTask {
 public:
  TwoTowerTask(const TwoTowerOptions& options, const TrainingSet& set, SparseRows attributes)
      : options_(options),
        set_(set),
        attributes_(std::move(attributes)),
        network_(shape_of(options, set.interactions.items, attribute_count(attributes_)),
                 TwoTowerNetwork::Towers::kBoth, parameters_),
        counts_(set.interactions.items) {
    const Interactions& all = set.interactions;
    for (std::uint32_t i = 0; i < all.items; ++i) {
      if (!all.by_item.row(i).empty()) seen_.push_back(i);
    }
    for (std::size_t r = 0; r < set.histories.rows(); ++r) add_row(set.histories.row(r));
  }

  Parameters& parameters() { return parameters_; }
  void initialize(const Random& random) { network_.initialize(parameters_, random); }
  std::int64_t examples() const override { return static_cast<std::int64_t>(examples_.size()); }

  void begin_batch(std::span<const std::uint32_t> examples, const Random& random) override {
    weight_ = 1 / static_cast<float>(examples.size());
    random_ = random;
    drawn_.clear();
    if (options_.candidates == "batch") return;
    const Random draws = random.fork("negatives");
    for (std::uint64_t n = 0; n < static_cast<std::uint64_t>(options_.negatives); ++n)
      drawn_.push_back(seen_[draws.below(n, seen_.size())]);
  }

  void build(Tape& tape, int shard, std::span<const std::uint32_t> examples) override {
    if (examples.empty()) return;
    Shard& s = shards_[shard];
    s.clear();
    for (const std::uint32_t e : examples) {
      const Example& example = examples_[e];
      s.histories.add(context_of(example, s.context), network_.shape().history_decay);
      add_item(items_[example.target], random_.fork(e), s);
    }
    const Random drawn_random = random_.fork("ids");
    const std::size_t right = s.targets.size();
    for (std::size_t n = 0; n < drawn_.size(); ++n) add_item(drawn_[n], drawn_random.fork(n), s);
    s.weights.assign(right, weight_);
    const Var users = network_.users(tape, s.histories), items = network_.items(tape, s.items);
    nn::Candidates c;
    c.temperature = static_cast<float>(options_.temperature);
    c.weights = s.weights;
    c.right_ids = std::span(s.targets).first(right);
    if (drawn_.empty()) {
      for (const std::uint32_t item : s.targets) s.log_q.push_back(log_q(item, right));
      c.right_log_q = s.log_q;
      in_batch_loss(tape, users, items, c);
      return;
    }
    for (std::uint32_t r = 0; r < s.targets.size(); ++r) s.places.push_back(r);
    const std::span<const std::uint32_t> places(s.places);
    c.wrong_ids = std::span(s.targets).subspan(right);
    candidate_loss(tape, users, select(tape, items, places.first(right)),
                   select(tape, items, places.subspan(right)), c);
  }

  Result<std::unique_ptr<const Model>> finished(const nn::Parameters& parameters) override {
    TwoTowerState state;
    const TwoTowerNetwork network(network_.shape(), TwoTowerNetwork::Towers::kUser, state.user);
    for (std::size_t p = 0; p < state.user.size(); ++p) {
      const nn::ParameterId id{static_cast<std::int32_t>(p)};
      const Matrix& from = parameters[id];
      std::copy_n(from.data(), from.rows() * from.stride(), state.user[id].data());
    }
    state.seen = seen_;
    for (std::uint32_t i = 0; i < set_.interactions.items; ++i) {
      const bool fresh =
          options_.new_items && !attributes_of(i).empty() && set_.catalogue.available(ItemIndex{i});
      if (taken(i) || fresh) state.listed.push_back(i);
    }
    state.vectors = vectors_of(parameters, state.listed);
    return TwoTower::make(options_, network, std::move(state), nullptr);
  }

 private:
  struct Example {  // places in items_: of the person's events, and of the one to predict
    std::uint64_t begin, end, target;
  };
  struct Shard {
    HistoryBags histories;
    ItemBags items;
    std::vector<std::uint32_t> targets, places, context;
    std::vector<float> weights, log_q;
    void clear() {
      histories.clear();
      items.clear();
      for (auto* list : {&targets, &places}) list->clear();
      log_q.clear();
    }
  };

  bool taken(std::uint32_t item) const { return !set_.interactions.by_item.row(item).empty(); }
  std::span<const std::uint32_t> attributes_of(std::uint32_t item) const {
    return attributes_.rows() == 0 ? std::span<const std::uint32_t>() : attributes_.row(item);
  }

  void add_row(std::span<const HistoryEvent> row) {
    const std::uint64_t begin = items_.size();
    for (const HistoryEvent& event : row) {
      if (event.weight > 0 && taken(raw(event.item))) items_.push_back(raw(event.item));
    }
    const std::uint64_t end = items_.size();
    const bool all = options_.context == "all";
    for (std::uint64_t at = begin; at < end; ++at) {
      const auto same = [&](std::uint32_t item) { return item == items_[at]; };
      const auto first = items_.begin() + static_cast<std::ptrdiff_t>(begin);
      if (all ? std::all_of(first, items_.end(), same) : at == begin) continue;
      examples_.push_back({begin, end, at});
      ++counts_[items_[at]];
    }
  }

  // The latest events before the target, or of all but the target's item.
  std::span<const std::uint32_t> context_of(const Example& e,
                                            std::vector<std::uint32_t>& room) const {
    const auto most = static_cast<std::uint64_t>(options_.history_max);
    const std::span<const std::uint32_t> items(items_);
    if (options_.context == "before") {
      const std::uint64_t from = e.target - std::min(most, e.target - e.begin);
      return items.subspan(from, e.target - from);
    }
    room.clear();
    for (std::uint64_t at = e.end; at-- > e.begin && room.size() < most;) {
      if (items[at] != items[e.target]) room.push_back(items[at]);
    }
    std::reverse(room.begin(), room.end());
    return room;
  }

  void add_item(std::uint32_t item, const Random& random, Shard& s) const {
    const auto attributes = attributes_of(item);
    const bool with_id = attributes.empty() || random.uniform(0) >= options_.id_dropout;
    s.items.add(item, with_id, attributes);
    s.targets.push_back(item);
  }

  // Of the number of times that an item is expected among so many examples.
  float log_q(std::uint32_t item, std::size_t rows) const {
    return static_cast<float>(
        std::log(static_cast<double>(counts_[item]) * static_cast<double>(rows) /
                 static_cast<double>(examples_.size())));
  }

  Matrix vectors_of(const nn::Parameters& parameters, std::span<const std::uint32_t> items) const {
    constexpr std::size_t kBlock = 256;
    Matrix vectors(static_cast<std::int64_t>(items.size()), options_.factors);
    Tape tape(parameters);
    for (std::size_t begin = 0; begin < items.size(); begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, items.size());
      ItemBags bags;
      for (std::size_t i = begin; i < end; ++i)
        bags.add(items[i], taken(items[i]), attributes_of(items[i]));
      tape.begin(Tape::Mode::kServing);
      const Var v = network_.items(tape, bags);
      for (std::size_t i = begin; i < end; ++i) {
        const auto row = tape.view(v).row(static_cast<std::int64_t>(i - begin));
        std::copy(row.begin(), row.end(), vectors.row(static_cast<std::int64_t>(i)).begin());
      }
    }
    return vectors;
  }

  const TwoTowerOptions& options_;
  const TrainingSet& set_;
  SparseRows attributes_;  // by item
  Parameters parameters_;
  TwoTowerNetwork network_;
  std::vector<std::uint64_t> counts_;        // by item: examples that ask for it
  std::vector<std::uint32_t> seen_, items_;  // items_: of all events, row after row
  std::vector<Example> examples_;
  float weight_ = 1;
  Random random_{0};
  std::vector<std::uint32_t> drawn_;
  Shard shards_[kNeuralShards];
};

double bytes_needed(const TwoTowerOptions& options, const TrainingSet& set, double attributes,
                    int factors) {
  const double width = row_bytes(factors) / sizeof(float);
  const double rows = 2.0 * set.interactions.items + attributes;
  const double events = static_cast<double>(set.histories.size());
  const double batch = std::min<double>(options.batch, events) + options.negatives;
  constexpr double kTape = 16;  // vectors of an example, with their gradients
  return neural_bytes(rows * width, 6 * width * options.hidden) + 28 * events +
         sizeof(float) * batch *
             ((kTape + options.history_max) * width + 4.0 * options.hidden + batch);
}

Error corrupt(const char* what) { return {Code::kCorrupt, what}; }

bool ascending_below(std::span<const std::uint32_t> list, std::uint32_t bound) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] >= bound || (i > 0 && list[i] <= list[i - 1])) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_two_tower(const Run& run, const TwoTowerOptions& options,
                                                   const TrainingSet& set) {
  SparseRows attributes = learnable_attributes(set, options.attributes);
  const auto count = static_cast<double>(attribute_count(attributes));
  VT_TRY(
      check_factor_memory(TwoTowerOptions::kName, options.factors, options.memory_limit_mb,
                          [&](int factors) { return bytes_needed(options, set, count, factors); }));
  TwoTowerTask task(options, set, std::move(attributes));
  task.initialize(run.random.fork("two_tower"));
  return fit_neural(
      run, set, {TwoTowerOptions::kName, options, write_options(options), task.parameters(), task});
}

Result<std::unique_ptr<const Model>> load_two_tower(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(const auto saved, load_options<TwoTowerOptions>(reader));
  const auto& [options, items] = saved;
  VT_TRY(const auto seen, reader.tensor<std::uint32_t>("seen"));
  VT_TRY(const auto listed, reader.tensor<std::uint32_t>("listed"));
  if (!ascending_below(seen.span(), items) || !ascending_below(listed.span(), items))
    return corrupt("two_tower: the items seen and listed must ascend");
  // Before anything is allocated by it.
  VT_TRY(const auto table, reader.shape("user/history"));
  VT_TRY(const auto vectors, reader.shape("vectors"));
  const auto count = static_cast<std::int64_t>(listed.size());
  if (table != std::vector<std::int64_t>{items, options.factors} ||
      vectors != std::vector<std::int64_t>{count, options.factors})
    return corrupt("two_tower: one vector per item");
  TwoTowerState state;
  const TwoTowerNetwork network(shape_of(options, items, 0), TwoTowerNetwork::Towers::kUser,
                                state.user);
  VT_TRY(state.user.load(reader, "user"));
  state.vectors = Matrix(count, options.factors);
  VT_TRY(nn::load_matrix(reader, "vectors", state.vectors));
  state.seen.assign(seen.begin(), seen.end());
  state.listed.assign(listed.begin(), listed.end());
  return TwoTower::make(options, network, std::move(state), &reader);
}

}  // namespace vitrine
