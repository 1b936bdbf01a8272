// What text from outside must be: valid UTF-8, within its limit, without control characters.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace vitrine {

// True for bytes 0x20 to 0x7e only: the common case, decided eight bytes at a time.
bool is_printable_ascii(std::string_view text);
bool is_valid_utf8(std::string_view text);
// A C0 control, DEL, or a C1 control (U+0080 to U+009F) in valid UTF-8.
bool has_control_characters(std::string_view text);

// Free text of at most `bytes_max` bytes: valid UTF-8, no NUL and no C0 controls but tab, CR and
// LF. `what` names the field in the message.
Status check_text(std::string_view text, std::string_view what, std::size_t bytes_max);

// The beginning of what came from outside, quoted, for a message: control bytes and broken UTF-8
// shown as '?', cut after `bytes_max` bytes.
std::string shown(std::string_view text, std::size_t bytes_max = 60);

}  // namespace vitrine
