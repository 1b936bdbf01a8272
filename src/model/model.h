// What a model is: fitted, immutable, and able to answer for a history. ARCHITECTURE.md, "A model".
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/archive.h"
#include "base/options.h"
#include "base/run.h"
#include "data/catalogue.h"
#include "data/histories.h"
#include "data/query.h"
#include "index/mask.h"

namespace vitrine {

class Checkpoint;  // model/checkpoint.h
class Profiles;    // feature/
class Validator;   // model/validator.h

// All that fitting may see. Held-out events are out of reach; a model may only ask whether it still
// improves.
struct TrainingSet {
  const Histories& histories;
  const Interactions& interactions;
  const Catalogue& catalogue;
  const Profiles* profiles = nullptr;
  Validator* validator = nullptr;
  InteractionOptions merge = {};     // that made the interactions of the histories
  Checkpoint* checkpoint = nullptr;  // where a long fit keeps its state
};

// Every method may be called from any thread at once.
class Model {
 public:
  virtual ~Model() = default;
  // The n best items that its mask allows for each query, best first (better() of data/query.h);
  // scores comparable within one query. A request is a batch of one, an evaluation a batch of
  // thousands. `masks`: one for all or one per query. Items of a history that the model does not
  // know are ignored. A list may be shorter than n. Runs on the caller's thread.
  virtual void retrieve(std::span<const Query> queries, std::span<const ItemMask> masks, int n,
                        CandidateBlock& out) const = 0;
  // Scores of the given items, to re-rank and to explain. An item that the model does not know, or
  // that retrieve() would never list for this query, scores 0 or lower than anything listed.
  virtual void score(const Query& query, std::span<const ItemIndex> items,
                     std::span<float> scores) const = 0;
  virtual void save(ArchiveWriter& writer) const = 0;
};

// One row of all_models.cc.
struct ModelKind {
  std::string_view name, help;
  // kCancelled when the monitor said so; kExhausted, with the number, when it would not fit in
  // memory.
  Result<std::unique_ptr<const Model>> (*fit)(const Run&, const Table& options, const TrainingSet&,
                                              const Model* previous);
  Result<std::unique_ptr<const Model>> (*load)(ArchiveReader&, const Catalogue&);
  std::vector<FieldDoc> (*describe)();              // its options, for --help and the docs
  Result<Table> (*complete)(const Table& options);  // checked, with every default written out
};

std::span<const ModelKind> all_models();
// kInvalid naming the nearest known kind.
Result<const ModelKind*> find_model(std::string_view name);

}  // namespace vitrine
