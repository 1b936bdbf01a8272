// An immutable array that either owns its elements or points into a memory-mapped archive. Copies
// share.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace vitrine {

template <class T>
class Array {
 public:
  Array() = default;
  Array(std::vector<T> values) {  // NOLINT: implicit
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  // `view` stays valid as long as `owner` lives.
  Array(std::shared_ptr<const void> owner, std::span<const T> view)
      : owner_(std::move(owner)), view_(view) {}

  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  const T* data() const { return view_.data(); }
  const T& operator[](std::size_t i) const { return view_[i]; }
  auto begin() const { return view_.begin(); }
  auto end() const { return view_.end(); }
  std::span<const T> span() const { return view_; }
  std::span<const T> subspan(std::size_t from, std::size_t count) const {
    return view_.subspan(from, count);
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const T> view_;
};

}  // namespace vitrine
