// Importers: a file of events, items or users in, checked records out, in bounded memory whatever
// the file's size. A bad row is no error: it is counted, its reason kept, and the import goes on,
// unless `strict`. Compression is recognised by content (gzip, zstd).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/options.h"
#include "base/run.h"
#include "data/event.h"
#include "data/item.h"

namespace vitrine {

// How the columns (CSV) or keys (JSON Lines) of a source become fields. Each option names a column;
// empty means absent. A mapping by position uses "#1", "#2", ...; a constant is written
// "=purchase". When no column is mapped at all, CSV columns whose names speak for themselves are
// ("customer_id", "sku"), and JSON Lines are read as item_from_json() and its relatives do.
// docs/import.md is the manual.
struct SourceOptions {
  std::string path;             // relative to the configuration file
  std::string format = "auto";  // by the file's name, then by its content
  std::string kind = "events";
  std::string name;             // part of derived event ids; the path's file name when empty
  std::string delimiter = ",";  // one character, or "tab"
  std::string quote = "\"";
  bool header = true;
  // events
  std::string id, user, session, item, type, value, quantity, price, order, slate, query, origin,
      time, received;
  std::string default_type;        // for rows whose type is empty or that have no type column
  std::vector<std::string> types;  // "adjust=return": the source's word = ours
  std::vector<std::string> ignore_types;  // counted, not imported
  std::vector<std::string> context;       // columns that go into the context
  bool anonymous_by_order = false;        // no user and no session: the order id is the session
  // items and users
  std::string title, description, category, brand, currency, image, tags, available, created;
  std::string category_separator = ">";
  std::string tag_separator = "|";
  std::vector<std::string> attributes;
  static constexpr auto fields();
};

struct ImportReport {
  std::uint64_t rows = 0, accepted = 0, rejected = 0, ignored = 0;
  std::uint64_t repeated = 0;        // known event ids: the sink filled it
  std::uint64_t bytes = 0;           // of the file as it lies on disk
  std::vector<std::string> reasons;  // the first ten, "events.csv:17: ..."
  Value to_json() const;
};

// Where accepted records go, in batches. The batch is the callee's to read until it returns.
struct ImportSink {
  std::function<Status(std::span<const Event>)> events;
  std::function<Status(std::span<const Item>)> items;
  std::function<Status(std::span<const User>)> users;
};

// Streams one source. A record without its own id gets hash(source name, file checksum, row
// number), so importing a file twice changes nothing. `strict` turns the first bad row into an
// error. A file that ends inside a compressed stream or a quoted field is an error that says how
// many rows came before.
Result<ImportReport> import_source(const Run& run, FileSystem& files, const SourceOptions& source,
                                   const EventTypes& types, bool strict, const ImportSink& sink);

constexpr auto SourceOptions::fields() {
  using O = SourceOptions;
  return std::tuple{
      Field{"path", &O::path, "file, relative to the configuration file"},
      Field{"format", &O::format, "auto|csv|jsonl", "auto looks at the name and the first byte"},
      Field{"kind", &O::kind, "events|items|users", "what the rows are"},
      Field{"name", &O::name,
            "name of the source, part of derived event ids; default: the file name"},
      Field{"delimiter", &O::delimiter, "one character, or tab"},
      Field{"quote", &O::quote, "one character"},
      Field{"header", &O::header,
            "the first row names the columns; without it columns are #1, #2, ..."},
      Field{"id", &O::id, "column of the event, item or user id"},
      Field{"user", &O::user, "column of the user id"},
      Field{"session", &O::session, "column of the session id"},
      Field{"item", &O::item, "column of the item id"},
      Field{"type", &O::type, "column of the event type"},
      Field{"value", &O::value, "column of the value (rating)"},
      Field{"quantity", &O::quantity, "column of the quantity"},
      Field{"price", &O::price, "column of the price of one piece"},
      Field{"order", &O::order, "column of the order or invoice id"},
      Field{"slate", &O::slate, "column of the slate id"},
      Field{"query", &O::query, "column of what was searched for"},
      Field{"origin", &O::origin, "column of the origin: organic, slate or unknown"},
      Field{"time", &O::time, "column of the time: RFC 3339, Unix seconds or milliseconds"},
      Field{"received", &O::received, "column of the time of receipt"},
      Field{"default_type", &O::default_type, "type of rows that name none"},
      Field{"types", &O::types, "the source's words for types, word=type"},
      Field{"ignore_types", &O::ignore_types, "types whose rows are counted and left out"},
      Field{"context", &O::context, "columns that go into the context"},
      Field{"anonymous_by_order", &O::anonymous_by_order,
            "events without user and session: the order is the session"},
      Field{"title", &O::title, "column of the title"},
      Field{"description", &O::description, "column of the description"},
      Field{"category", &O::category, "column of the category path"},
      Field{"brand", &O::brand, "column of the brand"},
      Field{"currency", &O::currency, "column of the currency"},
      Field{"image", &O::image, "column of the picture's address"},
      Field{"tags", &O::tags, "column of the tags"},
      Field{"available", &O::available, "column of the availability: true, false, 1, 0, yes, no"},
      Field{"created", &O::created, "column of the time of creation"},
      Field{"category_separator", &O::category_separator, "between the levels of a category path"},
      Field{"tag_separator", &O::tag_separator, "between tags"},
      Field{"attributes", &O::attributes, "columns that become free attributes"}};
}

}  // namespace vitrine
