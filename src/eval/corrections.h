// Many comparisons find differences by chance: with twenty models, one p below .05 is expected
// where nothing differs. Adjusted p-values say what is left when all that was compared is counted.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/evaluate.h"

namespace vitrine {

// The p-values that belong to `method`, in the order of `p`; each from its own value to 1.
//   holm                p(i) ascending: max over j <= i of (m - j + 1) p(j); the chance of even one
//                       false difference (Holm, "A simple sequentially rejective multiple test
//                       procedure", Scandinavian Journal of Statistics 1979)
//   benjamini_hochberg  min over j >= i of m p(j) / j; the share of false ones among the
//   differences
//                       found (Benjamini and Hochberg, JRSS B 1995)
//   none                as they are
// kInvalid for another method. Pure.
Result<std::vector<double>> adjusted_p(std::span<const double> p, std::string_view method);

// Sets p_adjusted of all comparisons of one table.
Status adjust(std::span<Comparison* const> comparisons, std::string_view method);

}  // namespace vitrine
