// The row for processors with AVX-512 (compiled for it; see CMakeLists.txt). Elsewhere it is the
// portable row once more, and is not chosen.
#include "nn/operations_row.h"

namespace vitrine::nn {

extern const Operations kAvx512;
const Operations kAvx512 = row_named("avx512");

}  // namespace vitrine::nn
