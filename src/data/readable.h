// Counts and sizes as people read them, for reports and descriptions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vitrine {

std::string readable_count(std::uint64_t count);  // "1,000,209"

// "1 event", "1,000,209 events"; the plural is the noun with an s.
std::string readable_count(std::uint64_t count, std::string_view noun);

std::string readable_memory(double mb);  // "54 MB", "1.39 GB": three digits

}  // namespace vitrine
