#include "data/columns.h"

#include <algorithm>
#include <charconv>

#include "data/text.h"

namespace vitrine {
namespace {

constexpr std::size_t kNamesShown = 20;

enum Kinds : unsigned { kEvents = 1, kItems = 2, kUsers = 4 };

struct ColumnOption {
  std::string_view name;
  std::string SourceOptions::*member;
  unsigned kinds;
};

constexpr ColumnOption kColumnOptions[] = {
    {"id", &SourceOptions::id, kEvents | kItems | kUsers},
    {"user", &SourceOptions::user, kEvents},
    {"session", &SourceOptions::session, kEvents},
    {"item", &SourceOptions::item, kEvents},
    {"type", &SourceOptions::type, kEvents},
    {"value", &SourceOptions::value, kEvents},
    {"quantity", &SourceOptions::quantity, kEvents},
    {"price", &SourceOptions::price, kEvents | kItems},
    {"order", &SourceOptions::order, kEvents},
    {"slate", &SourceOptions::slate, kEvents},
    {"query", &SourceOptions::query, kEvents},
    {"origin", &SourceOptions::origin, kEvents},
    {"time", &SourceOptions::time, kEvents},
    {"received", &SourceOptions::received, kEvents},
    {"title", &SourceOptions::title, kItems},
    {"description", &SourceOptions::description, kItems},
    {"category", &SourceOptions::category, kItems},
    {"brand", &SourceOptions::brand, kItems},
    {"currency", &SourceOptions::currency, kItems},
    {"image", &SourceOptions::image, kItems},
    {"tags", &SourceOptions::tags, kItems},
    {"available", &SourceOptions::available, kItems},
    {"created", &SourceOptions::created, kItems | kUsers},
};

struct ColumnListOption {
  std::string_view name;
  std::vector<std::string> SourceOptions::*member;
  unsigned kinds;
};

constexpr ColumnListOption kColumnListOptions[] = {
    {"context", &SourceOptions::context, kEvents},
    {"attributes", &SourceOptions::attributes, kItems | kUsers},
};

unsigned kind_of(std::string_view kind) {
  return kind == "items" ? kItems : kind == "users" ? kUsers : kEvents;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamesShown; ++i) {
    if (i > 0) text += ", ";
    const std::string name = shown(names[i]);
    text += name.substr(1, name.size() - 2);
  }
  if (names.size() > kNamesShown) text += ", ...";
  return text;
}

bool is_name(std::string_view spec) { return !spec.empty() && spec[0] != '=' && spec[0] != '#'; }

}  // namespace

Columns::Columns(Kind kind, std::string file, std::vector<std::string> names)
    : kind_(kind), file_(std::move(file)), names_(std::move(names)) {}

Columns Columns::of_header(std::string file, std::vector<std::string> names) {
  return Columns(Kind::kHeader, std::move(file), std::move(names));
}
Columns Columns::of_positions(std::string file, std::size_t count) {
  return Columns(Kind::kPositions, std::move(file), std::vector<std::string>(count));
}
Columns Columns::of_keys(std::string file) { return Columns(Kind::kKeys, std::move(file), {}); }

bool Columns::has(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

Error Columns::wrong(std::string_view option, std::string message) const {
  return Error{Code::kInvalid, file_ + ": " + std::string(option) + ": " + std::move(message)};
}

Result<FieldSource> Columns::find(std::string_view option, std::string_view spec) {
  if (spec.empty()) return FieldSource();
  if (spec[0] == '=') return FieldSource::constant(spec.substr(1));
  if (spec[0] == '#') return by_position(option, spec);
  return by_name(option, spec);
}

Result<FieldSource> Columns::by_position(std::string_view option, std::string_view spec) const {
  if (kind_ == Kind::kKeys)
    return wrong(option, "JSON Lines have names, not positions like " + shown(spec));
  std::size_t place = 0;
  const char* const end = spec.data() + spec.size();
  const auto read = std::from_chars(spec.data() + 1, end, place);
  if (read.ec != std::errc() || read.ptr != end || place < 1 || place > names_.size()) {
    return wrong(option, "there is no column " + shown(spec) + "; the columns are #1 to #" +
                             std::to_string(names_.size()));
  }
  return FieldSource::column(place - 1);
}

Result<FieldSource> Columns::by_name(std::string_view option, std::string_view spec) {
  const auto at = std::find(names_.begin(), names_.end(), spec);
  const auto place = static_cast<std::size_t>(at - names_.begin());
  if (kind_ == Kind::kPositions) {
    return wrong(
        option, "without a header (header = false) columns have positions, as #1, not names like " +
                    shown(spec));
  }
  if (at == names_.end()) {
    if (kind_ == Kind::kKeys) {
      names_.emplace_back(spec);
      return FieldSource::column(place);
    }
    const std::string_view near = nearest(spec, {names_.begin(), names_.end()});
    std::string message = "there is no column " + shown(spec);
    if (!near.empty()) message += ", did you mean " + shown(near) + "?";
    return wrong(option,
                 message + (near.empty() ? "; " : " ") + "the columns are " + list_of(names_));
  }
  if (kind_ == Kind::kHeader && std::find(at + 1, names_.end(), spec) != names_.end()) {
    return wrong(option, "the header names " + shown(spec) +
                             " more than once; map it by position, as #" +
                             std::to_string(place + 1));
  }
  return FieldSource::column(place);
}

Result<std::vector<MappedOption>> mapped_options(const SourceOptions& source) {
  const unsigned kind = kind_of(source.kind);
  std::vector<MappedOption> mapped;
  const auto add = [&](std::string_view option, unsigned kinds, std::string_view spec) -> Status {
    if (spec.empty()) return {};
    if ((kinds & kind) == 0) {
      return Error{Code::kInvalid,
                   std::string(option) + ": " + source.kind + " have no such field"};
    }
    mapped.push_back({option, spec});
    return {};
  };
  for (const ColumnOption& o : kColumnOptions) VT_TRY(add(o.name, o.kinds, source.*(o.member)));
  for (const ColumnListOption& o : kColumnListOptions) {
    for (const std::string& spec : source.*(o.member)) VT_TRY(add(o.name, o.kinds, spec));
  }
  return mapped;
}

Status check_header(const Columns& columns, const std::vector<MappedOption>& mapped,
                    std::string_view file, std::string_view first_row) {
  std::vector<std::string> wanted;
  for (const MappedOption& m : mapped) {
    if (!is_name(m.spec)) continue;
    if (columns.has(m.spec)) return {};
    wanted.emplace_back(m.spec);
  }
  if (wanted.empty()) return {};
  return Error{Code::kInvalid, std::string(file) +
                                   ": the first row names none of the mapped columns (" +
                                   list_of(wanted) + "); it is " + shown(first_row, 200) +
                                   ". A file without a header needs header = false and columns "
                                   "mapped by position, as #1"};
}

namespace {

// Lower case, '_' for everything that is no letter or digit.
std::string plain_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    out += upper ? static_cast<char>(c - 'A' + 'a') : plain ? c : '_';
  }
  return out;
}

// What shops call a field, between bars; the first name in this order that a file has wins.
struct UsualNames {
  std::string SourceOptions::*member;
  unsigned kinds;
  std::string_view names;
};

constexpr UsualNames kUsualNames[] = {
    {&SourceOptions::id, kEvents, "id|event_id|eventid"},
    {&SourceOptions::id, kItems,
     "id|item_id|itemid|item|product_id|productid|sku|stockcode|article_id|asin|movie_id"},
    {&SourceOptions::id, kUsers,
     "id|user_id|userid|user|customer_id|customerid|customer|visitor_id|visitorid"},
    {&SourceOptions::user, kEvents,
     "user|user_id|userid|customer|customer_id|customerid|visitor_id|visitorid|household_id"},
    {&SourceOptions::session, kEvents, "session|session_id|sessionid|visit_id"},
    {&SourceOptions::item, kEvents,
     "item|item_id|itemid|product|product_id|productid|sku|stockcode|article_id|asin|movie_id"},
    {&SourceOptions::type, kEvents, "type|event|event_type|eventtype|action|behavior|behaviour"},
    {&SourceOptions::value, kEvents, "rating|value|score|stars"},
    {&SourceOptions::quantity, kEvents, "quantity|qty|count"},
    {&SourceOptions::price, kEvents | kItems, "price|unit_price|unitprice|price_median"},
    {&SourceOptions::order, kEvents,
     "order|order_id|orderid|invoice|invoice_no|invoiceno|basket_id|transaction_id|transactionid"},
    {&SourceOptions::slate, kEvents, "slate|slate_id"},
    {&SourceOptions::time, kEvents,
     "time|timestamp|event_time|datetime|ts|date|created_at|invoicedate"},
    {&SourceOptions::received, kEvents, "received|received_at"},
    {&SourceOptions::title, kItems, "title|name|item_name|product_name"},
    {&SourceOptions::description, kItems, "description|text"},
    {&SourceOptions::category, kItems, "category|category_path|categories|genres"},
    {&SourceOptions::brand, kItems, "brand|manufacturer"},
    {&SourceOptions::currency, kItems, "currency"},
    {&SourceOptions::image, kItems, "image|image_url|picture"},
    {&SourceOptions::tags, kItems, "tags|keywords"},
    {&SourceOptions::available, kItems, "available|in_stock|availability"},
    {&SourceOptions::created, kItems | kUsers, "created|created_at"},
};

}  // namespace

SourceOptions map_by_names(SourceOptions source, const std::vector<std::string>& names) {
  const unsigned kind = kind_of(source.kind);
  for (const UsualNames& usual : kUsualNames) {
    if ((usual.kinds & kind) == 0) continue;
    std::string_view rest = usual.names;
    while (!rest.empty() && (source.*(usual.member)).empty()) {
      const std::string_view name = rest.substr(0, rest.find('|'));
      rest.remove_prefix(std::min(rest.size(), name.size() + 1));
      for (const std::string& have : names) {
        if (plain_name(have) == name && (source.*(usual.member)).empty())
          source.*(usual.member) = have;
      }
    }
  }
  for (const std::string& name : names) {
    const bool room = kind != kEvents && !name.empty() && source.attributes.size() < kAttributesMax;
    const bool mapped =
        std::any_of(std::begin(kColumnOptions), std::end(kColumnOptions),
                    [&](const ColumnOption& o) { return source.*(o.member) == name; });
    if (room && !mapped) source.attributes.push_back(name);
  }
  if (!source.order.empty()) source.anonymous_by_order = true;
  if (kind == kEvents && source.type.empty() && source.default_type.empty()) {
    const bool bought = !source.order.empty() || !source.quantity.empty();
    source.default_type = !source.value.empty() ? "rating" : bought ? "purchase" : "view";
  }
  return source;
}

}  // namespace vitrine
