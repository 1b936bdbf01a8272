// Any bytes as an event payload: an error, or an event that encodes to the same bytes, but where
// the type is a built-in one by the name that a shop once gave it.
#include <cstdint>
#include <string>

#include "store/event_log.h"

using namespace vitrine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const EventTypes types = [] {
    EventTypes made;
    VT_CHECK(made.add("wishlist").ok());
    return made;
  }();
  const auto bytes = std::as_bytes(std::span(data, size));
  Event event;
  if (!decode_event(bytes, types, event).ok()) return 0;
  std::string again;
  encode_event(event, types, again);
  const bool by_name = (static_cast<unsigned>(data[1]) & 0x80) != 0;
  VT_CHECK(again == as_text(bytes) || (by_name && event.type >= EventType::kRemoveFromCart));
  Event back;
  VT_CHECK(decode_event(as_bytes(again), types, back).ok());
  return 0;
}
