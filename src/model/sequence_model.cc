#include "model/sequence_model.h"

#include <algorithm>

#include "base/finite.h"
#include "nn/dense.h"

namespace vitrine {

SequenceRecommender::SequenceRecommender(Parts parts)
    : parts_(std::move(parts)),
      vectors_(parts_.parameters[parts_.network->items()].view(), parts_.known, parts_.cosine),
      tapes_(parts_.parameters) {}

Result<std::unique_ptr<const SequenceRecommender>> SequenceRecommender::create(
    Parts parts, ArchiveReader* archive) {
  if (!parts.parameters.finite())
    return Error{Code::kInvalid, "not finite: use a smaller learning_rate"};
  std::unique_ptr<SequenceRecommender> recommender(new SequenceRecommender(std::move(parts)));
  VT_TRY(recommender->vectors_.make_search(archive));
  return std::unique_ptr<const SequenceRecommender>(std::move(recommender));
}

bool SequenceRecommender::state(std::span<const HistoryEvent> history, std::span<float> out) const {
  auto workspace = tapes_.take();
  nn::Tape& tape = workspace->tape;
  SequenceTokens& tokens = workspace->scratch;
  tokens.clear();
  const int room = parts_.length - (parts_.ends_hidden ? 1 : 0);
  const std::size_t latest = add_events(tokens, history, parts_.known, std::max(room, 1));
  if (parts_.ends_hidden && latest < history.size())
    tokens.add(history[latest], parts_.known.items());
  bool answers = tokens.end();
  if (answers) {
    tape.begin(nn::Tape::Mode::kServing);
    const nn::Var last = parts_.network->encode(tape, tokens, States::kLast);
    std::copy_n(tape.value(last), out.size(), out.begin());
    if (parts_.cosine) to_length_one(out);
    answers = all_finite(out);
  }
  tapes_.give_back(std::move(workspace));
  return answers;
}

void SequenceRecommender::retrieve(std::span<const Query> queries, std::span<const ItemMask> masks,
                                   int n, CandidateBlock& out) const {
  vectors_.retrieve(
      queries, masks, n,
      [this](const Query& query, std::span<float> to) { return state(query.history, to); }, out);
}

void SequenceRecommender::score(const Query& query, std::span<const ItemIndex> items,
                                std::span<float> scores) const {
  vectors_.score(query, items, scores, [this](const Query& asked, std::span<float> to) {
    return state(asked.history, to);
  });
}

void SequenceRecommender::save(ArchiveWriter& writer) const {
  parts_.known.save(writer);
  parts_.parameters.save(writer, "network");
  vectors_.save(writer);
}

}  // namespace vitrine
