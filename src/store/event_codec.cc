// The bytes of an event, docs/formats.md "Event payload". One value has one encoding: decode
// rejects every other.
#include <bit>
#include <cmath>
#include <cstring>

#include "store/event_log.h"

namespace vitrine {
namespace {

// Bits of the 16-bit mask at the front. Strings follow in this order, then times, then numbers.
constexpr std::string Event::*kStrings[] = {&Event::id,     &Event::user,  &Event::session,
                                            &Event::item,   &Event::order, &Event::slate,
                                            &Event::context};
constexpr double Event::*kNumbers[] = {&Event::value, &Event::quantity, &Event::price};
constexpr int kStringCount = 7, kTimeBit = 7, kReceivedBit = 8, kNumberBit = 9, kCustomBit = 15;
// In front of the type: a byte that tells what the 16 bits had no room for. No type begins so.
constexpr std::uint8_t kExtended = 255;
constexpr int kQueryBit = 0, kOriginBit = 1;
// The first type that came after logs were written: a shop's own type of that name is this one now.
constexpr EventType kFirstLaterType = EventType::kRemoveFromCart;
constexpr std::size_t kVarintMax = 10;
constexpr double kExactMax = 9007199254740992.0;  // 2^53

enum NumberForm : unsigned { kAbsent, kWhole, kHundredths, kRaw };

std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

// Whole numbers and prices with two decimals are nearly all numbers of a shop.
NumberForm form_of(double number, std::int64_t& units) {
  if (std::isnan(number)) return kAbsent;
  if (std::abs(number) < kExactMax / 128) {
    const bool negative_zero = number == 0 && std::signbit(number);
    units = static_cast<std::int64_t>(number);
    if (static_cast<double>(units) == number && !negative_zero) return kWhole;
    units = std::llrint(number * 100);
    if (static_cast<double>(units) / 100 == number && !negative_zero) return kHundredths;
  }
  return kRaw;
}

char* put_varint(char* p, std::uint64_t v) {
  for (; v >= 0x80; v >>= 7) *p++ = static_cast<char>(v | 0x80);
  *p++ = static_cast<char>(v);
  return p;
}

char* put_text(char* p, std::string_view text) {
  p = put_varint(p, text.size());
  std::memcpy(p, text.data(), text.size());
  return p + text.size();
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool fixed(void* into, std::size_t size) {
    if (bytes_.size() < size) return false;
    std::memcpy(into, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  bool varint(std::uint64_t& value) {
    value = 0;
    for (std::size_t i = 0; i < std::min(bytes_.size(), kVarintMax); ++i) {
      const auto byte = static_cast<std::uint64_t>(bytes_[i]);
      if (i == 9 && byte > 1) return false;
      value |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        bytes_ = bytes_.subspan(i + 1);
        return byte != 0 || i == 0;
      }
    }
    return false;
  }
  bool text(std::string_view& value) {
    std::uint64_t size = 0;
    if (!varint(size) || size == 0 || size > bytes_.size()) return false;
    value = as_text(bytes_.first(size));
    bytes_ = bytes_.subspan(size);
    return true;
  }
  bool empty() const { return bytes_.empty(); }
  bool next_is(std::uint8_t byte) const {
    return !bytes_.empty() && static_cast<std::uint8_t>(bytes_.front()) == byte;
  }

 private:
  std::span<const std::byte> bytes_;
};

Error malformed(std::string_view what) {
  return Error{Code::kCorrupt, "event payload: " + std::string(what)};
}

bool read_number(Reader& reader, NumberForm form, double& number) {
  std::uint64_t bits = 0;
  std::int64_t units = 0;
  if (form == kRaw) {
    if (!reader.fixed(&bits, sizeof bits)) return false;
    number = std::bit_cast<double>(bits);
  } else if (form != kAbsent) {
    if (!reader.varint(bits)) return false;
    units = unzigzag(bits);
    number = form == kWhole ? static_cast<double>(units) : static_cast<double>(units) / 100;
  }
  return form_of(number, units) == form;
}

bool read_time(Reader& reader, Timestamp& time) {
  std::uint64_t bits = 0;
  if (!reader.varint(bits)) return false;
  time = unzigzag(bits);
  return time != kNoTime;
}

Status read_extension(Reader& reader, std::uint8_t& extension, Event& event) {
  extension = 0;
  if (!reader.next_is(kExtended)) return {};
  std::uint8_t mark = 0;
  if (!reader.fixed(&mark, 1) || !reader.fixed(&extension, 1)) return malformed("cut short");
  const unsigned origin = extension >> kOriginBit;
  if (extension == 0 || origin > static_cast<unsigned>(Origin::kSlate))
    return malformed("unknown extension");
  event.origin = static_cast<Origin>(origin);
  return {};
}

Status read_type(Reader& reader, bool custom, const EventTypes& types, EventType& type) {
  if (!custom) {
    std::uint8_t number = 0;
    if (!reader.fixed(&number, 1) || number >= static_cast<std::uint8_t>(EventType::kFirstCustom))
      return malformed("unknown built-in type");
    type = static_cast<EventType>(number);
    return {};
  }
  std::string_view name;
  if (!reader.text(name)) return malformed("type name cut short");
  auto found = types.find(name);
  if (!found.ok()) return found.error().prefixed("event payload");
  if (*found < kFirstLaterType) return malformed("a built-in type by name");
  type = *found;
  return {};
}

}  // namespace

void encode_event(const Event& event, const EventTypes& types, std::string& out) {
  const bool custom = event.type >= EventType::kFirstCustom;
  const std::string_view type_name = custom ? types.name(event.type) : std::string_view();
  unsigned mask = custom ? 1U << kCustomBit : 0U;
  const unsigned extension = (event.query.empty() ? 0U : 1U << kQueryBit) |
                             static_cast<unsigned>(event.origin) << kOriginBit;
  std::size_t bound = 4 + kVarintMax * (kStringCount + 7) + type_name.size() + event.query.size();
  for (int i = 0; i < kStringCount; ++i) {
    const std::size_t size = (event.*kStrings[i]).size();
    bound += size;
    if (size > 0) mask |= 1U << i;
  }
  if (event.time != kNoTime) mask |= 1U << kTimeBit;
  if (event.received != kNoTime) mask |= 1U << kReceivedBit;
  std::int64_t units[3] = {};
  NumberForm forms[3];
  for (int i = 0; i < 3; ++i) {
    forms[i] = form_of(event.*kNumbers[i], units[i]);
    mask |= forms[i] << (kNumberBit + 2 * i);
  }

  const std::size_t begin = out.size();
  out.resize(begin + bound);
  char* p = out.data() + begin;
  *p++ = static_cast<char>(mask);
  *p++ = static_cast<char>(mask >> 8);
  if (extension != 0) {
    *p++ = static_cast<char>(kExtended);
    *p++ = static_cast<char>(extension);
  }
  if (custom)
    p = put_text(p, type_name);
  else
    *p++ = static_cast<char>(event.type);
  for (int i = 0; i < kStringCount; ++i)
    if ((mask >> i) & 1) p = put_text(p, event.*kStrings[i]);
  if (!event.query.empty()) p = put_text(p, event.query);
  if (event.time != kNoTime) p = put_varint(p, zigzag(event.time));
  if (event.received != kNoTime) p = put_varint(p, zigzag(event.received));
  for (int i = 0; i < 3; ++i) {
    if (forms[i] == kRaw) {
      std::memcpy(p, &(event.*kNumbers[i]), sizeof(double));
      p += sizeof(double);
    } else if (forms[i] != kAbsent) {
      p = put_varint(p, zigzag(units[i]));
    }
  }
  out.resize(static_cast<std::size_t>(p - out.data()));
}

Status decode_event(std::span<const std::byte> bytes, const EventTypes& types, Event& out) {
  Reader reader(bytes);
  std::uint16_t mask = 0;
  out.clear();
  if (!reader.fixed(&mask, sizeof mask)) return malformed("cut short");
  std::uint8_t extension = 0;
  VT_TRY(read_extension(reader, extension, out));
  VT_TRY(read_type(reader, ((mask >> kCustomBit) & 1) != 0, types, out.type));
  for (int i = 0; i < kStringCount; ++i) {
    std::string_view text;
    if (((mask >> i) & 1) == 0) continue;
    if (!reader.text(text)) return malformed("a string is empty or cut short");
    (out.*kStrings[i]).assign(text);
  }
  if ((extension >> kQueryBit) & 1) {
    std::string_view text;
    if (!reader.text(text)) return malformed("the query is empty or cut short");
    out.query.assign(text);
  }
  if (((mask >> kTimeBit) & 1) && !read_time(reader, out.time)) return malformed("bad time");
  if (((mask >> kReceivedBit) & 1) && !read_time(reader, out.received))
    return malformed("bad time of receipt");
  for (int i = 0; i < 3; ++i) {
    const auto form = static_cast<NumberForm>((mask >> (kNumberBit + 2 * i)) & 3);
    if (!read_number(reader, form, out.*kNumbers[i])) return malformed("bad number");
  }
  if (!reader.empty()) return malformed("bytes behind the end");
  return {};
}

}  // namespace vitrine
