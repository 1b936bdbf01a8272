// What holds for every import, whatever the bytes: it ends, its counts add up, and all that it
// hands out has been checked.
#pragma once

#include "data/import.h"
#include "tests/memory_files.h"

namespace vitrine {

inline void import_and_check(const SourceOptions& source, std::string_view bytes, bool strict) {
  MemoryFiles files;
  files.put(source.path, bytes);
  ThreadPool pool(1);
  QuietMonitor monitor;
  const EventTypes types;
  std::uint64_t handed_out = 0;
  ImportSink sink;
  sink.events = [&](std::span<const Event> events) {
    for (const Event& event : events) VT_CHECK(check_event(event).ok() && !event.id.empty());
    handed_out += events.size();
    return Status();
  };
  sink.items = [&](std::span<const Item> items) {
    for (const Item& item : items) VT_CHECK(item_from_json(item_to_json(item)).ok());
    handed_out += items.size();
    return Status();
  };
  sink.users = [&](std::span<const User> users) {
    for (const User& user : users) VT_CHECK(user_from_json(user_to_json(user)).ok());
    handed_out += users.size();
    return Status();
  };
  const auto report =
      import_source(Run{Random(1), pool, monitor}, files, source, types, strict, sink);
  if (!report.ok()) {
    VT_CHECK(!report.error().message.empty());
    return;
  }
  VT_CHECK(report->rows == report->accepted + report->rejected + report->ignored);
  VT_CHECK(report->accepted == handed_out && report->bytes == bytes.size());
  VT_CHECK(!strict || report->rejected == 0);
}

}  // namespace vitrine
