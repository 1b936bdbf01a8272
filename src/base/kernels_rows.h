// The rows of the kernel table, each compiled with its own instruction set. Only kernels.cc and the
// rows themselves include this. No row may use an inline function of a header that others use too:
// the linker keeps one copy of it, and that copy must run everywhere.
#pragma once

#include "base/kernels.h"

namespace vitrine::rows {

extern const Kernels kScalar;
#if defined(__x86_64__)
extern const Kernels kAvx2;
extern const Kernels kAvx512;
extern const Kernels kAvx512Bf16;
extern const Kernels kAmx;
#endif

}  // namespace vitrine::rows
