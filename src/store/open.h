// What store/open.cc chooses from: one line for each kind of state store.
#pragma once

#include <memory>
#include <string_view>

#include "store/state_store.h"

namespace vitrine {

// `where`: what follows the scheme in the URL.
Result<std::unique_ptr<StateStore>> open_memory_store(std::string_view where);
Result<std::unique_ptr<StateStore>> open_rocksdb_store(std::string_view where);

}  // namespace vitrine
