#include "data/json_fields.h"

#include <cmath>

#include "base/options.h"
#include "data/event.h"
#include "data/item.h"
#include "data/text.h"

namespace vitrine {
namespace {

std::string_view with_article(const Value& value) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"boolean", "a boolean"}, {"integer", "an integer"}, {"number", "a number"},
      {"string", "a string"},   {"list", "a list"},        {"table", "an object"}};
  for (const auto& [name, text] : kNames) {
    if (value.type_name() == name) return text;
  }
  return "null";
}

bool is_scalar(const Value& value) {
  return !value.is_null() && value.as_list() == nullptr && value.as_table() == nullptr;
}

Status check_scalar(const Value& value, std::string_view field, std::size_t& bytes) {
  if (!is_scalar(value)) {
    return wrong_type(field, "a string, a number, a boolean or a list of them", value);
  }
  if (value.is_number()) VT_TRY(number_from(value, field));
  if (const std::string* text = value.as_string()) {
    bytes += text->size();
    VT_TRY(check_text(*text, field, kTextBytesMax));
  }
  return {};
}

Status check_attribute(const Value& value, std::string_view field) {
  std::size_t bytes = 0;
  const List* list = value.as_list();
  if (list == nullptr) return check_scalar(value, field, bytes);
  if (list->size() > kItemListMax) {
    return Error{Code::kInvalid, std::string(field) + ": has " + std::to_string(list->size()) +
                                     " values, the limit is " + std::to_string(kItemListMax)};
  }
  for (const Value& element : *list) VT_TRY(check_scalar(element, field, bytes));
  if (bytes > kTextBytesMax) {
    return Error{Code::kInvalid, std::string(field) + ": has " + std::to_string(bytes) +
                                     " bytes, the limit is " + std::to_string(kTextBytesMax)};
  }
  return {};
}

}  // namespace

Error wrong_type(std::string_view field, std::string_view expected, const Value& found) {
  return Error{Code::kInvalid, std::string(field) + ": expected " + std::string(expected) +
                                   ", found " + std::string(with_article(found))};
}

Error unknown_field(std::string_view field, const std::vector<std::string_view>& known) {
  std::string message = "unknown field " + shown(field);
  const std::string_view near = nearest(field, known);
  if (!near.empty()) message += ", did you mean '" + std::string(near) + "'?";
  return Error{Code::kInvalid, std::move(message)};
}

Result<std::string> text_from(const Value& json, std::string_view field, std::size_t bytes_max) {
  const std::string* text = json.as_string();
  if (text == nullptr) return wrong_type(field, "a string", json);
  VT_TRY(check_text(*text, field, bytes_max));
  return *text;
}

Result<std::string> id_from(const Value& json, std::string_view field) {
  const std::string* text = json.as_string();
  if (text == nullptr) return wrong_type(field, "a string", json);
  VT_TRY(check_id(*text, field));
  return *text;
}

Result<double> number_from(const Value& json, std::string_view field) {
  if (!json.is_number()) return wrong_type(field, "a number", json);
  if (!std::isfinite(json.number())) {
    return Error{Code::kInvalid, std::string(field) + ": must be a finite number"};
  }
  return json.number();
}

Result<bool> bool_from(const Value& json, std::string_view field) {
  if (json.as_bool() == nullptr) return wrong_type(field, "true or false", json);
  return *json.as_bool();
}

Result<Timestamp> time_from(const Value& json, std::string_view field) {
  std::string text;
  if (const std::string* string = json.as_string()) {
    text = *string;
  } else if (const std::int64_t* whole = json.as_int()) {
    text = std::to_string(*whole);
  } else if (const double* number = json.as_double();
             number != nullptr && std::abs(*number) < 1e16) {
    text = std::to_string(*number);  // six decimals, enough for milliseconds
  } else {
    return wrong_type(field, "a time (RFC 3339, Unix seconds or milliseconds)", json);
  }
  auto time = parse_time(text);
  if (!time.ok()) return time.error().prefixed(field);
  return time;
}

Status patch_attributes(Table& attributes, const Value& json) {
  const Table* table = json.as_table();
  if (table == nullptr) return wrong_type("attributes", "an object", json);
  for (const Table::Entry& entry : *table) {
    VT_TRY(check_id(entry.first, "attribute name"));
    if (entry.second.is_null()) {
      attributes.erase(entry.first);
      continue;
    }
    VT_TRY(check_attribute(entry.second, "attributes." + entry.first));
    attributes.set(entry.first, entry.second);
  }
  if (attributes.size() > kAttributesMax) {
    return Error{Code::kInvalid, "attributes: there are " + std::to_string(attributes.size()) +
                                     ", the limit is " + std::to_string(kAttributesMax)};
  }
  return {};
}

}  // namespace vitrine
