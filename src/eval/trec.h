// Dumps in the form of the Text REtrieval Conference, which trec_eval, ranx, pytrec_eval and others
// read:
//   qrels:  CASE 0 ITEM 1                       one line per truth item
//   run:    CASE Q0 ITEM RANK SCORE TAG         one line per listed item
// The run's scores are places (n, n - 1, ..., 1), not the model's: they fall strictly with the
// rank, so that tools which sort by score and break ties in their own way see the list that was
// measured.
//
// Columns are parted by white space: bytes of an id that are white space, control characters or '%'
// are written as %XX.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "eval/evaluate.h"

namespace vitrine {

// Outside names of a case of the split and of an item.
using CaseName = std::function<std::string(std::size_t split_case)>;
using ItemName = std::function<std::string(ItemIndex item)>;

Status write_qrels(FileSystem& files, const std::string& path, const EvaluatedLists& lists,
                   const CaseName& case_name, const ItemName& item_name);
// `tag` names the recommender.
Status write_run(FileSystem& files, const std::string& path, const EvaluatedLists& lists,
                 const CaseName& case_name, const ItemName& item_name, std::string_view tag);

}  // namespace vitrine
