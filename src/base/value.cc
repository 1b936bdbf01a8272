#include "base/value.h"

namespace vitrine {

const Value* Table::find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.first == key) return &entry.second;
  }
  return nullptr;
}

Value* Table::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

Value& Table::operator[](std::string_view key) {
  if (Value* found = find(key)) return *found;
  return entries_.emplace_back(std::string(key), Value()).second;
}

void Table::set(std::string_view key, Value value) { (*this)[key] = std::move(value); }

bool Table::erase(std::string_view key) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.first == key; }) > 0;
}

bool Table::empty() const { return entries_.empty(); }
std::size_t Table::size() const { return entries_.size(); }
const Table::Entry* Table::begin() const { return entries_.data(); }
const Table::Entry* Table::end() const { return entries_.data() + entries_.size(); }
Table::Entry* Table::begin() { return entries_.data(); }
Table::Entry* Table::end() { return entries_.data() + entries_.size(); }
bool Table::operator==(const Table& other) const { return entries_ == other.entries_; }

double Value::number(double otherwise) const {
  if (const auto* i = as_int()) return static_cast<double>(*i);
  if (const auto* d = as_double()) return *d;
  return otherwise;
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"null",   "boolean", "integer", "number",
                                         "string", "list",    "table"};
  return kNames[data_.index()];
}

namespace {
Error wrong(std::string_view key, const Value* found, std::string_view wanted) {
  std::string text = "'" + std::string(key) + "' ";
  text += found == nullptr ? "is missing" : "is a " + std::string(found->type_name());
  return Error{Code::kInvalid, text + ", expected a " + std::string(wanted)};
}
}  // namespace

Result<std::int64_t> int_at(const Table& table, std::string_view key) {
  const Value* value = table.find(key);
  if (value == nullptr || value->as_int() == nullptr) return wrong(key, value, "whole number");
  return *value->as_int();
}

Result<double> number_at(const Table& table, std::string_view key) {
  const Value* value = table.find(key);
  if (value == nullptr || !value->is_number()) return wrong(key, value, "number");
  return value->number();
}

Result<std::string> string_at(const Table& table, std::string_view key) {
  const Value* value = table.find(key);
  if (value == nullptr || value->as_string() == nullptr) return wrong(key, value, "string");
  return *value->as_string();
}

}  // namespace vitrine
