// The one container for everything fitted: named tensors and named documents in one file,
// versioned, checksummed, memory-mapped. The bytes are specified in docs/formats.md.
//
// Names are slash paths ("item_knn/weights"); scope() prefixes them so that models can hold models.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/array.h"
#include "base/file.h"
#include "base/value.h"

namespace vitrine {

enum class ElementType : std::uint32_t { kU8 = 1, kU16, kI32, kU32, kI64, kU64, kF32, kF64 };

template <class T>
constexpr ElementType element_type() {
  if constexpr (std::is_enum_v<T>)
    return element_type<std::underlying_type_t<T>>();
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return ElementType::kU8;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return ElementType::kU16;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return ElementType::kI32;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return ElementType::kU32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return ElementType::kI64;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return ElementType::kU64;
  else if constexpr (std::is_same_v<T, float>)
    return ElementType::kF32;
  else {
    static_assert(std::is_same_v<T, double>);
    return ElementType::kF64;
  }
}

// `kind` has 1 to 40 bytes. Names have 1 to 1024 bytes and differ; tensors have at most 8
// dimensions; documents are JSON (NaN becomes null) and nest at most kJsonDepthMax levels. Strings
// are any bytes.
//
// Streams to `path` + ".partial" and renames in finish(). The first failure sticks and finish()
// reports it; until then everything else is ignored, so save() of a model needs no error handling.
// Not thread-safe. Destroying without finish() removes the partial file.
class ArchiveWriter {
 public:
  ArchiveWriter(FileSystem& files, std::string path, std::string_view kind);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  template <class T>
  void tensor(std::string_view name, std::span<const T> values,
              std::vector<std::int64_t> shape = {}) {
    write_tensor(name, element_type<T>(), std::as_bytes(values), values.size(), std::move(shape));
  }
  template <class T>
  void tensor(std::string_view name, const Array<T>& values, std::vector<std::int64_t> shape = {}) {
    tensor(name, values.span(), std::move(shape));
  }
  template <class T>
  void tensor(std::string_view name, const std::vector<T>& values,
              std::vector<std::int64_t> shape = {}) {
    tensor(name, std::span<const T>(values), std::move(shape));
  }
  void document(std::string_view name, const Value& value);
  void strings(std::string_view name, std::span<const std::string> values);

  void enter(std::string_view scope);  // names get "scope/" in front until leave()
  void leave();

  Status finish();  // syncs and renames; the archive exists only after this

 private:
  void write_tensor(std::string_view name, ElementType type, std::span<const std::byte> bytes,
                    std::uint64_t count, std::vector<std::int64_t> shape);
  struct State;
  std::unique_ptr<State> state_;
};

// Opens, maps and validates: header, version, kind, directory and every checksum. Arrays that it
// hands out keep the mapping alive. Thread-safe after open(), except enter() and leave(). What is
// damaged, missing or of another type is kCorrupt, with the file, the name and the remedy; another
// kind is kInvalid, another format version kUnsupported.
class ArchiveReader {
 public:
  static Result<std::unique_ptr<ArchiveReader>> open(FileSystem& files, const std::string& path,
                                                     std::string_view kind);
  ~ArchiveReader();

  template <class T>
  Result<Array<T>> tensor(std::string_view name) const {
    VT_TRY(auto raw, find_tensor(name, element_type<T>()));
    return Array<T>(raw.owner, std::span(reinterpret_cast<const T*>(raw.bytes.data()),
                                         raw.bytes.size() / sizeof(T)));
  }
  Result<std::vector<std::int64_t>> shape(std::string_view name) const;
  Result<Value> document(std::string_view name) const;
  Result<std::vector<std::string>> strings(std::string_view name) const;
  bool has(std::string_view name) const;
  std::vector<std::string> names() const;  // inside the present scope and without it, sorted

  void enter(std::string_view scope);
  void leave();

 private:
  struct Raw {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;
  };
  Result<Raw> find_tensor(std::string_view name, ElementType type) const;
  ArchiveReader();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vitrine
