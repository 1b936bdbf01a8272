#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace vitrine {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not_found";
    case Code::kExists:
      return "exists";
    case Code::kCancelled:
      return "cancelled";
    case Code::kIo:
      return "io";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kExhausted:
      return "exhausted";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kUnauthorized:
      return "unauthorized";
    case Code::kForbidden:
      return "forbidden";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

Error Error::prefixed(std::string_view where) const {
  std::string text(where);
  text += ": ";
  text += message;
  return Error{code, std::move(text)};
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "vitrine: broken invariant at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace vitrine
