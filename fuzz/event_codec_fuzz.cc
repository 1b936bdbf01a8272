// Any bytes as an event payload: an error, or an event that encodes to the same bytes.
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
  VT_CHECK(again == as_text(bytes));
  return 0;
}
