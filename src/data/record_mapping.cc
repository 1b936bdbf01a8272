#include <algorithm>

#include "data/mapping.h"
#include "data/rows.h"
#include "data/text.h"

namespace vitrine {
namespace {

Result<bool> parse_flag(std::string_view text, std::string_view what) {
  constexpr std::pair<std::string_view, bool> kWords[] = {
      {"true", true}, {"1", true}, {"yes", true}, {"false", false}, {"0", false}, {"no", false}};
  std::string lower(without_blanks(text));
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const auto& [word, flag] : kWords) {
    if (word == lower) return flag;
  }
  return Error{Code::kInvalid,
               std::string(what) + ": expected true, false, 1, 0, yes or no, found " + shown(text)};
}

// The parts between separators, blanks around them and empty ones dropped. A list that came from
// JSON is already in parts.
List parts_of(std::string_view text, std::string_view separator) {
  const std::string json_separator(1, kListSeparator);
  if (text.find(kListSeparator) != std::string_view::npos) separator = json_separator;
  List parts;
  for (;;) {
    const std::size_t at = separator.empty() ? std::string_view::npos : text.find(separator);
    const std::string_view part = without_blanks(text.substr(0, at));
    if (!part.empty()) parts.emplace_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

Value attribute_of(std::string_view text) {
  if (text.find(kListSeparator) != std::string_view::npos) return parts_of(text, {});
  const auto number = parse_number(text, "attribute");
  if (number.ok()) return *number;
  return text;
}

// Without the white space around it: catalogues typed by hand are full of it.
std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

Result<RecordMapping> RecordMapping::compile(const SourceOptions& source, Columns& columns) {
  if (source.id.empty())
    return Error{Code::kInvalid, "id: name the column of the id of the " + source.kind};
  RecordMapping mapping;
  const auto add = [&](std::string_view name, const std::string& spec, Shape shape,
                       std::string_view separator = {}) -> Status {
    VT_TRY(FieldSource from, columns.find(name, spec));
    if (from.present())
      mapping.parts_.push_back({std::string(name), std::move(from), shape, std::string(separator)});
    return {};
  };
  VT_TRY(add("id", source.id, Shape::kText));
  VT_TRY(add("title", source.title, Shape::kText));
  VT_TRY(add("description", source.description, Shape::kText));
  VT_TRY(add("category", source.category, Shape::kList, source.category_separator));
  VT_TRY(add("brand", source.brand, Shape::kText));
  VT_TRY(add("price", source.price, Shape::kNumber));
  VT_TRY(add("currency", source.currency, Shape::kText));
  VT_TRY(add("image", source.image, Shape::kText));
  VT_TRY(add("tags", source.tags, Shape::kList, source.tag_separator));
  VT_TRY(add("available", source.available, Shape::kFlag));
  VT_TRY(add("created", source.created, Shape::kText));
  for (const std::string& spec : source.attributes) {
    VT_TRY(FieldSource from, columns.find("attributes", spec));
    mapping.attributes_.emplace_back(kept_name(spec), std::move(from));
  }
  return mapping;
}

Result<Value> RecordMapping::to_json(std::span<const std::string_view> fields) const {
  Table record;
  for (const Part& part : parts_) {
    const std::string_view text = part.source.of(fields);
    if (text.empty()) continue;
    switch (part.shape) {
      case Shape::kText:
        record.set(part.name, part.name == "id" ? text : trimmed(text));
        break;
      case Shape::kList:
        record.set(part.name, parts_of(text, part.separator));
        break;
      case Shape::kNumber: {
        VT_TRY(const double number, parse_number(text, part.name));
        record.set(part.name, number);
        break;
      }
      case Shape::kFlag: {
        VT_TRY(const bool flag, parse_flag(text, part.name));
        record.set(part.name, flag);
        break;
      }
    }
  }
  Table attributes;
  for (const auto& [name, from] : attributes_) {
    const std::string_view text = from.of(fields);
    if (!text.empty()) attributes.set(name, attribute_of(text));
  }
  if (!attributes.empty()) record.set("attributes", std::move(attributes));
  return Value(std::move(record));
}

}  // namespace vitrine
