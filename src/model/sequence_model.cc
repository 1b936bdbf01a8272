#include "model/sequence_model.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "base/finite.h"
#include "base/kernels.h"
#include "nn/dense.h"

namespace vitrine {

// A tape for each thread that is asking at the same time; kept, with its memory.
struct SequenceRecommender::Tapes {
  struct Workspace {
    explicit Workspace(const nn::Parameters& parameters) : tape(parameters) {}
    nn::Tape tape;
    SequenceTokens tokens;
  };
  explicit Tapes(const nn::Parameters& p) : parameters(p) {}

  std::unique_ptr<Workspace> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto workspace = std::move(idle.back());
        idle.pop_back();
        return workspace;
      }
    }
    return std::make_unique<Workspace>(parameters);
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(workspace));
  }

  const nn::Parameters& parameters;
  std::mutex mutex;
  std::vector<std::unique_ptr<Workspace>> idle;
};

namespace {

void to_length_one(std::span<float> row) {
  const float length =
      std::sqrt(kernels().dot(row.data(), row.data(), static_cast<std::int64_t>(row.size())));
  if (!(length > 0)) return;
  for (float& v : row) v /= length;
}

}  // namespace

SequenceRecommender::SequenceRecommender(Parts parts) : parts_(std::move(parts)) {}
SequenceRecommender::~SequenceRecommender() = default;

// Tapes refer to the parameters, which move: a recommender that has not answered yet has none.
SequenceRecommender::SequenceRecommender(SequenceRecommender&& other) noexcept
    : parts_(std::move(other.parts_)),
      vectors_(std::move(other.vectors_)),
      packed_(std::move(other.packed_)),
      tapes_(std::make_unique<Tapes>(parts_.parameters)) {}

Result<SequenceRecommender> SequenceRecommender::create(Parts parts) {
  SequenceRecommender r(std::move(parts));
  for (std::size_t p = 0; p < r.parts_.parameters.size(); ++p) {
    const Matrix& m = r.parts_.parameters[{static_cast<std::int32_t>(p)}];
    if (!all_finite({m.data(), m.bytes() / sizeof(float)}))
      return Error{Code::kInvalid, "not finite: use a smaller learning_rate"};
  }
  const Matrix& table = r.parts_.parameters[r.parts_.network->items()];
  const KnownItems& known = r.parts_.known;
  r.vectors_ = Matrix(known.items(), table.cols());
  Matrix packed(static_cast<std::int64_t>(known.seen().size()), table.cols());
  std::vector<ItemIndex> names;
  for (const std::uint32_t item : known.seen()) {
    const auto row = r.vectors_.row(item);
    std::copy(table.row(item).begin(), table.row(item).end(), row.begin());
    if (r.parts_.cosine) to_length_one(row);
    std::copy(row.begin(), row.end(), packed.row(static_cast<std::int64_t>(names.size())).begin());
    names.push_back(ItemIndex{item});
  }
  r.packed_ = std::make_unique<const PackedItems>(packed.view(), names);
  r.tapes_ = std::make_unique<Tapes>(r.parts_.parameters);
  return r;
}

bool SequenceRecommender::state(std::span<const HistoryEvent> history, std::span<float> out) const {
  auto workspace = tapes_->take();
  nn::Tape& tape = workspace->tape;
  SequenceTokens& tokens = workspace->tokens;
  tokens.clear();
  const int room = parts_.length - (parts_.ends_hidden ? 1 : 0);
  bool answers = false;
  if (parts_.ends_hidden) {
    const std::size_t latest = add_events(tokens, history, parts_.known, std::max(room, 1));
    if (latest < history.size()) {
      tokens.add(history[latest], parts_.known.items());
      answers = tokens.end();
    }
  } else {
    answers = add_history(tokens, history, parts_.known, room);
  }
  if (answers) {
    tape.begin(nn::Tape::Mode::kServing);
    const nn::Var last = parts_.network->encode(tape, tokens, States::kLast);
    std::copy_n(tape.value(last), out.size(), out.begin());
    if (parts_.cosine) to_length_one(out);
    answers = all_finite(out);
  }
  tapes_->give_back(std::move(workspace));
  return answers;
}

void SequenceRecommender::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks,
                                   int n, CandidateBlock& out) const {
  out.reset(queries.size(), static_cast<std::size_t>(std::max(n, 0)));
  Matrix states(static_cast<std::int64_t>(queries.size()), vectors_.cols());
  std::vector<std::size_t> asked;
  std::vector<ItemMask> own_masks;
  for (std::size_t q = 0; q < queries.size(); ++q) {
    if (!state(queries[q].history, states.row(static_cast<std::int64_t>(asked.size())))) continue;
    asked.push_back(q);
    own_masks.push_back(mask_of(masks, q));
  }
  if (asked.empty()) return;
  CandidateBlock lists;
  const MatrixView<const float> rows{states.data(), static_cast<std::int64_t>(asked.size()),
                                     states.cols(), states.stride()};
  scan_top(rows, *packed_, own_masks, n, lists);
  for (std::size_t q = 0; q < asked.size(); ++q) {
    const auto list = lists.row(q);
    std::copy(list.begin(), list.end(), out.room(asked[q]).begin());
    out.set_count(asked[q], list.size());
  }
}

void SequenceRecommender::score(const Query& query, std::span<const ItemIndex> items,
                                std::span<float> scores) const {
  std::fill(scores.begin(), scores.end(), 0.0f);
  std::vector<float> u(static_cast<std::size_t>(vectors_.cols()));
  if (!state(query.history, u)) return;
  std::vector<ItemIndex> known;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!parts_.known.has(items[i])) continue;
    known.push_back(items[i]);
    places.push_back(i);
  }
  std::vector<float> found(known.size());
  scan_scores(u, vectors_.view(), known, found);
  for (std::size_t i = 0; i < places.size(); ++i) scores[places[i]] = found[i];
}

void SequenceRecommender::save(ArchiveWriter& writer) const {
  const auto seen = parts_.known.seen();
  writer.tensor("seen", std::span<const std::uint32_t>(seen));
  parts_.parameters.save(writer, "network");
}

Result<KnownItems> SequenceRecommender::load_known(const ArchiveReader& reader,
                                                   std::uint32_t items) {
  VT_TRY(const auto seen, reader.tensor<std::uint32_t>("seen"));
  for (std::size_t s = 0; s < seen.size(); ++s) {
    if (seen[s] >= items || (s > 0 && seen[s] <= seen[s - 1]))
      return Error{Code::kCorrupt, "seen: known items ascend and are below the number of items"};
  }
  return KnownItems(seen.span(), items);
}

}  // namespace vitrine
