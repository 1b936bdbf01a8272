#include <algorithm>
#include <cmath>

#include "data/event.h"
#include "data/item.h"
#include "data/json_fields.h"

namespace vitrine {
namespace {

Error over_limit(std::string_view field, std::size_t count, std::size_t limit) {
  return Error{Code::kInvalid, std::string(field) + ": has " + std::to_string(count) +
                                   " entries, the limit is " + std::to_string(limit)};
}

Status patch_text(std::string& text, const Value& json, std::string_view field) {
  if (json.is_null()) return text.clear(), Status();
  VT_TRY(text, text_from(json, field, kTextBytesMax));
  return {};
}

// A list of strings, or one string for a list of one.
Status patch_strings(std::vector<std::string>& strings, const Value& json, std::string_view field) {
  strings.clear();
  if (json.is_null()) return {};
  if (json.as_string() != nullptr) {
    VT_TRY(std::string only, text_from(json, field, kTextBytesMax));
    strings.push_back(std::move(only));
    return {};
  }
  const List* list = json.as_list();
  if (list == nullptr) return wrong_type(field, "a list of strings", json);
  if (list->size() > kItemListMax) return over_limit(field, list->size(), kItemListMax);
  std::size_t bytes = 0;
  for (const Value& element : *list) {
    VT_TRY(std::string text, text_from(element, field, kTextBytesMax));
    if (text.empty()) return Error{Code::kInvalid, std::string(field) + ": holds an empty string"};
    bytes += text.size();
    strings.push_back(std::move(text));
  }
  if (bytes > kTextBytesMax)
    return over_limit(std::string(field) + " in bytes", bytes, kTextBytesMax);
  return {};
}

Status patch_price(std::optional<double>& price, const Value& json) {
  price.reset();
  if (json.is_null()) return {};
  VT_TRY(const double number, number_from(json, "price"));
  if (number < 0) return Error{Code::kInvalid, "price: must not be negative"};
  price = number;
  return {};
}

Status patch_created(Timestamp& created, const Value& json) {
  created = kNoTime;
  if (json.is_null()) return {};
  VT_TRY(created, time_from(json, "created"));
  return {};
}

Result<std::vector<float>> vector_from(const Value& json, const std::string& field) {
  const List* list = json.as_list();
  if (list == nullptr) return wrong_type(field, "a list of numbers", json);
  if (list->empty()) return Error{Code::kInvalid, field + ": is empty"};
  if (list->size() > kVectorMax) return over_limit(field, list->size(), kVectorMax);
  std::vector<float> numbers;
  numbers.reserve(list->size());
  for (const Value& element : *list) {
    VT_TRY(const double number, number_from(element, field));
    numbers.push_back(static_cast<float>(number));
    if (!std::isfinite(numbers.back())) {
      return Error{Code::kInvalid, field + ": a number is too large"};
    }
  }
  return numbers;
}

// Merges as attributes do; the vectors stay in the order of their names.
Status patch_vectors(decltype(Item::vectors)& vectors, const Value& json) {
  const Table* table = json.as_table();
  if (table == nullptr) return wrong_type("vectors", "an object", json);
  for (const Table::Entry& entry : *table) {
    VT_TRY(check_id(entry.first, "vector name"));
    auto at = std::lower_bound(
        vectors.begin(), vectors.end(), entry.first,
        [](const auto& have, const std::string& name) { return have.first < name; });
    const bool found = at != vectors.end() && at->first == entry.first;
    if (entry.second.is_null()) {
      if (found) vectors.erase(at);
      continue;
    }
    VT_TRY(std::vector<float> numbers, vector_from(entry.second, "vectors." + entry.first));
    if (found)
      at->second = std::move(numbers);
    else
      vectors.emplace(at, entry.first, std::move(numbers));
  }
  if (vectors.size() > kItemListMax) return over_limit("vectors", vectors.size(), kItemListMax);
  return {};
}

// The id names the record and cannot be changed.
Status patch_id(std::string& id, const Value& json) {
  VT_TRY(std::string given, id_from(json, "id"));
  if (!id.empty() && id != given) {
    return Error{Code::kInvalid, "id: is '" + id + "' and cannot be changed to '" + given + "'"};
  }
  id = std::move(given);
  return {};
}

template <class Record>
struct FieldPatch {
  std::string_view name;
  Status (*patch)(Record&, const Value&);
};

constexpr FieldPatch<Item> kItemFields[] = {
    {"id", [](Item& i, const Value& v) { return patch_id(i.id, v); }},
    {"title", [](Item& i, const Value& v) { return patch_text(i.title, v, "title"); }},
    {"description",
     [](Item& i, const Value& v) { return patch_text(i.description, v, "description"); }},
    {"category", [](Item& i, const Value& v) { return patch_strings(i.category, v, "category"); }},
    {"brand", [](Item& i, const Value& v) { return patch_text(i.brand, v, "brand"); }},
    {"price", [](Item& i, const Value& v) { return patch_price(i.price, v); }},
    {"currency", [](Item& i, const Value& v) { return patch_text(i.currency, v, "currency"); }},
    {"image", [](Item& i, const Value& v) { return patch_text(i.image, v, "image"); }},
    {"tags", [](Item& i, const Value& v) { return patch_strings(i.tags, v, "tags"); }},
    {"available",
     [](Item& i, const Value& v) -> Status {
       i.available = true;
       if (v.is_null()) return {};
       VT_TRY(i.available, bool_from(v, "available"));
       return {};
     }},
    {"created", [](Item& i, const Value& v) { return patch_created(i.created, v); }},
    {"attributes",
     [](Item& i, const Value& v) {
       return v.is_null() ? (i.attributes = Table(), Status()) : patch_attributes(i.attributes, v);
     }},
    {"vectors",
     [](Item& i, const Value& v) {
       return v.is_null() ? (i.vectors.clear(), Status()) : patch_vectors(i.vectors, v);
     }},
};

constexpr FieldPatch<User> kUserFields[] = {
    {"id", [](User& u, const Value& v) { return patch_id(u.id, v); }},
    {"created", [](User& u, const Value& v) { return patch_created(u.created, v); }},
    {"attributes",
     [](User& u, const Value& v) {
       return v.is_null() ? (u.attributes = Table(), Status()) : patch_attributes(u.attributes, v);
     }},
};

// All of the patch or nothing.
template <class Record, std::size_t n>
Status patch_record(Record& record, const Value& json, const FieldPatch<Record> (&fields)[n],
                    std::string_view what) {
  const Table* table = json.as_table();
  if (table == nullptr) return wrong_type(what, "an object", json);
  Record patched = record;
  for (const Table::Entry& entry : *table) {
    const auto* field =
        std::find_if(fields, fields + n, [&](const auto& f) { return f.name == entry.first; });
    if (field == fields + n) {
      std::vector<std::string_view> known;
      for (const auto& f : fields) known.push_back(f.name);
      return unknown_field(entry.first, known);
    }
    VT_TRY(field->patch(patched, entry.second));
  }
  record = std::move(patched);
  return {};
}

Error no_id() { return Error{Code::kInvalid, "id: is missing"}; }

template <class Strings>
void set_list(Table& table, std::string_view name, const Strings& strings) {
  if (!strings.empty()) table.set(name, List(strings.begin(), strings.end()));
}

void set_text(Table& table, std::string_view name, const std::string& text) {
  if (!text.empty()) table.set(name, text);
}

}  // namespace

Result<Item> item_from_json(const Value& json) {
  Item item;
  VT_TRY(patch_item(item, json));
  if (item.id.empty()) return no_id();
  return item;
}

Status patch_item(Item& item, const Value& json) {
  return patch_record(item, json, kItemFields, "item");
}

Value item_to_json(const Item& item) {
  Table table;
  set_text(table, "id", item.id);
  set_text(table, "title", item.title);
  set_text(table, "description", item.description);
  set_list(table, "category", item.category);
  set_text(table, "brand", item.brand);
  if (item.price) table.set("price", *item.price);
  set_text(table, "currency", item.currency);
  set_text(table, "image", item.image);
  set_list(table, "tags", item.tags);
  table.set("available", item.available);
  set_text(table, "created", format_time(item.created));
  if (!item.attributes.empty()) table.set("attributes", item.attributes);
  Table vectors;
  for (const auto& vector : item.vectors) set_list(vectors, vector.first, vector.second);
  if (!vectors.empty()) table.set("vectors", std::move(vectors));
  return table;
}

Result<User> user_from_json(const Value& json) {
  User user;
  VT_TRY(patch_user(user, json));
  if (user.id.empty()) return no_id();
  return user;
}

Status patch_user(User& user, const Value& json) {
  return patch_record(user, json, kUserFields, "user");
}

Value user_to_json(const User& user) {
  Table table;
  set_text(table, "id", user.id);
  set_text(table, "created", format_time(user.created));
  if (!user.attributes.empty()) table.set("attributes", user.attributes);
  return table;
}

}  // namespace vitrine
