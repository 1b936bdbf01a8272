// A tree of values: what TOML and JSON have in common. Configuration, archive documents, HTTP
// bodies and reports are Values; hot paths (event import) parse their bytes directly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace vitrine {

class Value;
using List = std::vector<Value>;

// Keys in the order of insertion, looked up linearly: tables are small.
class Table {
 public:
  using Entry = std::pair<std::string, Value>;
  Table() = default;
  Table(std::initializer_list<Entry> entries);
  explicit Table(std::vector<Entry> entries);  // keys must differ: nothing checks them
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  Value& operator[](std::string_view key);  // inserts null
  void set(std::string_view key, Value value);
  bool erase(std::string_view key);
  bool empty() const;
  std::size_t size() const;
  const Entry* begin() const;
  const Entry* end() const;
  Entry* begin();
  Entry* end();
  bool operator==(const Table&) const;

 private:
  std::vector<Entry> entries_;
};

class Value {
 public:
  Value() = default;           // null
  Value(std::nullptr_t) {}     // NOLINT: implicit
  Value(bool b) : data_(b) {}  // NOLINT: implicit
  template <class I>
  requires(std::is_integral_v<I> && !std::is_same_v<I, bool>) Value(I i)
      : data_(static_cast<std::int64_t>(i)) {}          // NOLINT: implicit
  Value(double d) : data_(d) {}                         // NOLINT: implicit
  Value(float f) : data_(static_cast<double>(f)) {}     // NOLINT: implicit
  Value(std::string s) : data_(std::move(s)) {}         // NOLINT: implicit
  Value(std::string_view s) : data_(std::string(s)) {}  // NOLINT: implicit
  Value(const char* s) : data_(std::string(s)) {}       // NOLINT: implicit
  Value(List l) : data_(std::move(l)) {}                // NOLINT: implicit
  Value(Table t) : data_(std::move(t)) {}               // NOLINT: implicit

  bool is_null() const { return data_.index() == 0; }
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const std::int64_t* as_int() const { return std::get_if<std::int64_t>(&data_); }
  const double* as_double() const { return std::get_if<double>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const List* as_list() const { return std::get_if<List>(&data_); }
  const Table* as_table() const { return std::get_if<Table>(&data_); }
  List* as_list() { return std::get_if<List>(&data_); }
  Table* as_table() { return std::get_if<Table>(&data_); }
  bool is_number() const { return as_int() != nullptr || as_double() != nullptr; }
  double number(double otherwise = 0) const;  // of an int or a double
  std::string_view type_name() const;         // "null", "boolean", "integer", "number", ...
  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Table> data_;
};

inline Table::Table(std::initializer_list<Entry> entries) : entries_(entries) {}
inline Table::Table(std::vector<Entry> entries) : entries_(std::move(entries)) {}

// Typed reads of a table for documents that we wrote ourselves: a missing or mistyped key is an
// error that names it.
Result<std::int64_t> int_at(const Table& table, std::string_view key);
Result<double> number_at(const Table& table, std::string_view key);
Result<std::string> string_at(const Table& table, std::string_view key);

}  // namespace vitrine
