#include "store/open.h"

namespace vitrine {
namespace {

struct Scheme {
  std::string_view name;
  Result<std::unique_ptr<StateStore>> (*open)(std::string_view where);
};

constexpr Scheme kSchemes[] = {
    {"memory", open_memory_store},
    {"rocksdb", open_rocksdb_store},
};

}  // namespace

Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url) {
  const std::size_t colon = url.find(':');
  std::string known;
  for (const Scheme& scheme : kSchemes) {
    if (colon != std::string::npos && url.substr(0, colon) == scheme.name)
      return scheme.open(std::string_view(url).substr(colon + 1));
    known += (known.empty() ? "" : ", ") + std::string(scheme.name) + ":";
  }
  return Error{Code::kInvalid,
               "\"" + url + "\" names no state store; it starts with one of " + known};
}

}  // namespace vitrine
