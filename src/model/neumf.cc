#include "model/neumf.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/kernels.h"
#include "index/select.h"
#include "model/memory.h"
#include "model/neumf_network.h"
#include "model/options_archive.h"
#include "nn/dense.h"
#include "nn/losses.h"

namespace vitrine {
namespace {

using nn::Parameters;
using nn::Tape;
using nn::Var;

constexpr std::int64_t kBlock = 256;  // items; fixed, as the bits of a product depend on its shape

NeumfShape shape_of(const NeumfOptions& options, std::int64_t items, std::int64_t persons) {
  NeumfShape shape;
  shape.gmf = options.network != "mlp";
  shape.mlp = options.network != "gmf";
  shape.items = items;
  shape.persons = options.own_row > 0 ? persons : 0;
  shape.factors = options.factors;
  shape.layers = options.layers;
  shape.dropout = static_cast<float>(options.dropout);
  return shape;
}

// Never 0, which stands for no row.
std::uint64_t fingerprint(std::span<const std::uint32_t> items) {
  std::uint64_t hash = items.size();
  for (const std::uint32_t item : items) {
    // The finaliser of SplitMix64: every bit of the input reaches every bit of the hash.
    hash = (hash ^ item ^ hash >> 30) * 0xbf58476d1ce4e5b9;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
    hash ^= hash >> 31;
  }
  return hash == 0 ? 1 : hash;
}

struct NeumfState {
  Parameters parameters;
  std::vector<std::uint32_t> seen;          // items with interactions, ascending
  std::vector<std::uint64_t> fingerprints;  // by user
};

// ln(1 + e^x): -ln of the probability that the person does not take the item.
float score_of(float x) { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

class Neumf final : public Model {
 public:
  Neumf(const NeumfOptions& options, const NeumfNetwork& network, NeumfState state)
      : options_(options), network_(network), state_(std::move(state)) {
    places_.assign(static_cast<std::size_t>(network.shape().items), kNowhere);
    for (std::uint32_t s = 0; s < state_.seen.size(); ++s) places_[state_.seen[s]] = s;
    prepare();
  }

  void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                CandidateBlock& out) const override {
    out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
    if (n <= 0) return;
    Tape tape(state_.parameters);
    TopList top;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const std::optional<Person> person = person_of(queries[q], tape);
      if (!person) continue;
      top.reset(static_cast<std::size_t>(n));
      const ItemMask& mask = mask_of(masks, q);
      for (std::size_t begin = 0; begin < state_.seen.size(); begin += kBlock) {
        const std::vector<float> scores = block(*person, begin, tape);
        for (std::size_t i = 0; i < scores.size(); ++i) {
          const Candidate c{ItemIndex{state_.seen[begin + i]}, scores[i]};
          if (top.admits(c) && mask.allows(c.item)) top.push(c);
        }
      }
      out.set_count(q, top.take(out.room(q)));
    }
  }

  void score(const Query& query, std::span<const ItemIndex> items,
             std::span<float> scores) const override {
    std::fill(scores.begin(), scores.end(), 0.0f);
    Tape tape(state_.parameters);
    const std::optional<Person> person = person_of(query, tape);
    if (!person) return;
    std::vector<std::vector<float>> blocks(state_.seen.size() / kBlock + 1);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::uint32_t place = place_of(raw(items[i]));
      if (place == kNowhere) continue;
      std::vector<float>& known = blocks[place / kBlock];
      if (known.empty()) known = block(*person, place / kBlock * kBlock, tape);
      scores[i] = known[place % kBlock];
    }
  }

  void save(ArchiveWriter& writer) const override {
    save_options(writer, options_, static_cast<std::uint32_t>(network_.shape().items));
    writer.tensor("seen", state_.seen);
    writer.tensor("fingerprints", state_.fingerprints);
    state_.parameters.save(writer, "parameters");
  }

 private:
  static constexpr std::uint32_t kNowhere = 0xffffffff;
  struct Person {
    std::vector<float> gmf, first;  // the vector; their part of the first layer
  };

  std::uint32_t place_of(std::uint32_t item) const {
    return item < places_.size() ? places_[item] : kNowhere;
  }

  // By place, padded to whole blocks: h o q of the items, and their part of the first layer.
  void prepare() {
    const NeumfShape& shape = network_.shape();
    const auto blocks = (static_cast<std::int64_t>(state_.seen.size()) + kBlock - 1) / kBlock;
    const Parameters& p = state_.parameters;
    if (shape.gmf) {
      products_ = Matrix(blocks * kBlock, shape.factors);
      for (std::size_t s = 0; s < state_.seen.size(); ++s) {
        const auto item = p[network_.gmf().items].row(state_.seen[s]);
        const auto to = products_.row(static_cast<std::int64_t>(s));
        for (std::size_t k = 0; k < to.size(); ++k)
          to[k] = item[k] * p[network_.gmf().out](static_cast<std::int64_t>(k), 0);
      }
    }
    if (!shape.mlp) return;
    const Matrix& weight = p[network_.first_item()];
    const Matrix& bias = p[network_.first_bias()];
    first_.resize(static_cast<std::size_t>(blocks * kBlock * weight.cols()));
    std::vector<float> items(static_cast<std::size_t>(kBlock * shape.factors));
    for (std::int64_t b = 0; b < blocks; ++b) {
      std::fill(items.begin(), items.end(), 0.0f);
      for (std::size_t i = 0; i < kBlock; ++i) {
        const std::size_t place = static_cast<std::size_t>(b * kBlock) + i;
        if (place >= state_.seen.size()) break;
        const auto row = p[network_.mlp().items].row(state_.seen[place]);
        std::copy(row.begin(), row.end(),
                  items.begin() + static_cast<std::ptrdiff_t>(i * row.size()));
      }
      float* to = first_.data() + b * kBlock * weight.cols();
      nn::operations().gemm(false, false, kBlock, weight.cols(), shape.factors, 1, items.data(),
                            shape.factors, weight.data(), weight.stride(), 0, to, weight.cols());
      nn::operations().add_to_rows(kBlock, weight.cols(), bias.data(), to);
    }
  }

  // The distinct items of the history that training saw, ascending.
  std::vector<std::uint32_t> known_items(std::span<const HistoryEvent> history) const {
    std::vector<std::uint32_t> items;
    for (const HistoryEvent& event : history) {
      if (place_of(raw(event.item)) != kNowhere && event.weight > 0)
        items.push_back(raw(event.item));
    }
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    return items;
  }

  std::vector<float> vector_of(const NeumfNetwork::Half& half,
                               std::span<const std::uint32_t> history, const std::uint32_t* row,
                               Tape& tape) const {
    NeumfPairs pairs;
    pairs.add_person(history, row);
    tape.begin(Tape::Mode::kServing);
    const Var person = network_.persons(tape, half, pairs);
    return {tape.value(person), tape.value(person) + tape.cols(person)};
  }

  std::optional<Person> person_of(const Query& query, Tape& tape) const {
    const std::vector<std::uint32_t> history = known_items(query.history);
    if (history.empty()) return {};
    const std::uint32_t user = query.user ? raw(*query.user) : kNowhere;
    const bool unchanged =
        user < state_.fingerprints.size() && state_.fingerprints[user] == fingerprint(history);
    const std::uint32_t* row = unchanged ? &user : nullptr;
    Person person;
    if (network_.shape().gmf) person.gmf = vector_of(network_.gmf(), history, row, tape);
    if (!network_.shape().mlp) return person;
    const std::vector<float> mlp = vector_of(network_.mlp(), history, row, tape);
    const Matrix& weight = state_.parameters[network_.first_person()];
    person.first.resize(static_cast<std::size_t>(weight.cols()));
    nn::operations().gemm(false, false, 1, weight.cols(), network_.shape().factors, 1, mlp.data(),
                          network_.shape().factors, weight.data(), weight.stride(), 0,
                          person.first.data(), weight.cols());
    return person;
  }

  // Scores of the items from place `begin` on, a multiple of the block.
  std::vector<float> block(const Person& person, std::size_t begin, Tape& tape) const {
    const NeumfShape& shape = network_.shape();
    const auto count =
        static_cast<std::int64_t>(std::min<std::size_t>(kBlock, state_.seen.size() - begin));
    const auto place = static_cast<std::int64_t>(begin);
    std::vector<float> scores(static_cast<std::size_t>(count),
                              state_.parameters[network_.bias()](0, 0));
    for (std::int64_t i = 0; i < count && shape.gmf; ++i) {
      scores[static_cast<std::size_t>(i)] +=
          kernels().dot(products_.row(place + i).data(), person.gmf.data(), shape.factors);
    }
    if (shape.mlp) {
      const auto width = static_cast<std::int64_t>(person.first.size());
      tape.begin(Tape::Mode::kServing);
      const Var first = tape.make(kBlock, width);
      std::copy_n(first_.data() + place * width, kBlock * width, tape.value(first));
      nn::operations().add_to_rows(kBlock, width, person.first.data(), tape.value(first));
      const Var out = linear(tape, network_.hidden(tape, first), network_.mlp().out);
      for (std::size_t i = 0; i < scores.size(); ++i) scores[i] += tape.value(out)[i];
    }
    for (float& s : scores) s = score_of(s);
    return scores;
  }

  NeumfOptions options_;
  NeumfNetwork network_;
  NeumfState state_;
  std::vector<std::uint32_t> places_;  // by item
  Matrix products_;
  std::vector<float> first_;
};

class NeumfTask final : public NeuralTask {
 public:
  NeumfTask(const NeumfOptions& options, const TrainingSet& set)
      : options_(options),
        set_(set),
        network_(shape_of(options, set.interactions.items, set.histories.users()), parameters_) {
    const Interactions& all = set.interactions;
    for (std::uint32_t i = 0; i < all.items; ++i) {
      if (!all.by_item.row(i).empty()) seen_.push_back(i);
    }
    for (std::uint32_t r = 0; r < all.by_row.rows(); ++r) {
      for (std::size_t from = 0; from < all.by_row.row(r).size(); from += kNeumfPairs)
        examples_.push_back({r, static_cast<std::uint32_t>(from)});
    }
  }

  Parameters& parameters() { return parameters_; }
  void initialize(const Random& random) { network_.initialize(parameters_, random); }

  std::int64_t examples() const override { return static_cast<std::int64_t>(examples_.size()); }

  void begin_batch(std::span<const std::uint32_t> examples, const Random& random) override {
    std::size_t taken = 0;
    for (const std::uint32_t e : examples) taken += items_of(examples_[e]).size();
    weight_ = 1 / static_cast<float>(taken * (1 + static_cast<std::size_t>(options_.negatives)));
    random_ = random;
  }

  void build(Tape& tape, int shard, std::span<const std::uint32_t> examples) override {
    Shard& s = shards_[shard];
    s.pairs.clear();
    s.labels.clear();
    for (const std::uint32_t e : examples) add_example(examples_[e], random_.fork(e), s);
    if (s.labels.empty()) return;
    s.weights.assign(s.labels.size(), weight_);
    binary_loss(tape, network_.logits(tape, s.pairs), s.labels, s.weights);
  }

  Result<std::unique_ptr<const Model>> finished(const nn::Parameters& parameters) override {
    NeumfState state;
    const NeumfNetwork network(network_.shape(), state.parameters);
    state.parameters = nn::Parameters(parameters);
    state.seen = seen_;
    state.fingerprints.resize(static_cast<std::size_t>(network_.shape().persons));
    for (std::size_t u = 0; u < state.fingerprints.size(); ++u) {
      const auto row = set_.interactions.by_row.row(u);
      if (!row.empty()) state.fingerprints[u] = fingerprint(row);
    }
    return std::make_unique<const Neumf>(options_, network, std::move(state));
  }

 private:
  struct Example {
    std::uint32_t row, from;
  };
  struct Shard {
    NeumfPairs pairs;
    std::vector<float> labels, weights;
  };

  std::span<const std::uint32_t> items_of(const Example& e) const {
    const auto all = set_.interactions.by_row.row(e.row).subspan(e.from);
    return all.first(std::min(all.size(), kNeumfPairs));
  }

  // Negatives are drawn until they are none of the person's own, or given up.
  void add_example(const Example& example, const Random& random, Shard& s) const {
    constexpr int kTries = 16;
    const auto own = set_.interactions.by_row.row(example.row);
    std::uint64_t draw = 0;
    const bool known = static_cast<std::int64_t>(example.row) < network_.shape().persons;
    const bool with_row = known && random.uniform(draw++) < options_.own_row;
    s.pairs.add_person(own, with_row ? &example.row : nullptr);
    for (const std::uint32_t item : items_of(example)) {
      s.pairs.add_question(&item);
      s.pairs.add_pair(item);
      s.labels.push_back(1);
      for (int n = 0; n < options_.negatives; ++n) {
        for (int t = 0; t < kTries; ++t) {
          const std::uint32_t other = seen_[random.below(draw++, seen_.size())];
          if (std::binary_search(own.begin(), own.end(), other)) continue;
          s.pairs.add_pair(other);
          s.labels.push_back(0);
          break;
        }
      }
    }
  }

  const NeumfOptions& options_;
  const TrainingSet& set_;
  Parameters parameters_;
  NeumfNetwork network_;
  std::vector<std::uint32_t> seen_;
  std::vector<Example> examples_;
  float weight_ = 1;
  Random random_{0};
  Shard shards_[kNeuralShards];
};

double bytes_needed(const NeumfOptions& options, const TrainingSet& set, int factors) {
  const double halves = options.network == "neumf" ? 2 : 1;
  const double persons = options.own_row > 0 ? set.histories.users() : 0;
  const double rows = 2.0 * set.interactions.items + persons;
  const double width = row_bytes(factors) / sizeof(float);
  const double taken = std::min(static_cast<double>(set.interactions.by_row.columns.size()),
                                static_cast<double>(options.batch) * kNeumfPairs);
  constexpr double kTape = 24;  // vectors of a pair, with their gradients
  return neural_bytes(halves * rows * width, 4.0 * width * width) +
         taken * (1 + options.negatives) * halves * kTape * width * sizeof(float);
}

}  // namespace

Result<std::unique_ptr<const Model>> fit_neumf(const Run& run, const NeumfOptions& options,
                                               const TrainingSet& set) {
  VT_TRY(check_factor_memory(NeumfOptions::kName, options.factors, options.memory_limit_mb,
                             [&](int factors) { return bytes_needed(options, set, factors); }));
  NeumfTask task(options, set);
  task.initialize(run.random.fork("neumf"));
  return fit_neural(
      run, set, {NeumfOptions::kName, options, write_options(options), task.parameters(), task});
}

Result<std::unique_ptr<const Model>> load_neumf(ArchiveReader& reader, const Catalogue&) {
  VT_TRY(const auto saved, load_options<NeumfOptions>(reader));
  const auto& [options, items] = saved;
  VT_TRY(const auto seen, reader.tensor<std::uint32_t>("seen"));
  VT_TRY(const auto fingerprints, reader.tensor<std::uint64_t>("fingerprints"));
  for (std::size_t s = 0; s < seen.size(); ++s) {
    if (seen[s] >= items || (s > 0 && seen[s] <= seen[s - 1]))
      return Error{Code::kCorrupt, "neumf: the items seen must ascend"};
  }
  // Before anything is allocated by it.
  const std::string table = options.network == "mlp" ? "mlp" : "gmf";
  VT_TRY(const auto shape, reader.shape("parameters/" + table + "_items"));
  if (shape != std::vector<std::int64_t>{items, options.factors})
    return Error{Code::kCorrupt, "neumf: one vector per item"};
  if (options.own_row == 0 && !fingerprints.empty())
    return Error{Code::kCorrupt, "neumf: fingerprints of rows that are not there"};
  NeumfState state;
  const NeumfNetwork network(
      shape_of(options, items, static_cast<std::int64_t>(fingerprints.size())), state.parameters);
  VT_TRY(state.parameters.load(reader, "parameters"));
  state.seen.assign(seen.begin(), seen.end());
  state.fingerprints.assign(fingerprints.begin(), fingerprints.end());
  return std::make_unique<const Neumf>(options, network, std::move(state));
}

}  // namespace vitrine
