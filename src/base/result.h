// Errors are values. A function that can fail for a reason outside the program (bytes, sockets,
// disks, cancellation) returns Result<T>; a broken invariant of the program itself stops it
// (VT_CHECK). Input from outside must never be able to reach a VT_CHECK.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace vitrine {

// server/ maps a code to an HTTP status, cli/ to an exit status; nobody else interprets them.
enum class Code {
  kInvalid,       // the caller's input is wrong; the message names the place and the remedy
  kNotFound,      // a file, item, user, snapshot that is not there
  kExists,        // already there, and may not be overwritten
  kCancelled,     // the monitor said so
  kIo,            // the operating system refused; the message holds its reason
  kCorrupt,       // bytes that were once ours are not what we wrote
  kExhausted,     // memory, disk, queue or limit: a larger one would have helped
  kUnavailable,   // not now (starting, draining, no snapshot yet)
  kUnauthorized,  // no key, or a wrong one
  kForbidden,     // a key without that right
  kUnsupported,   // understood, and not possible here
  kInternal,      // a library failed in a way that we did not foresee
};

std::string_view code_name(Code code);  // "invalid", "not_found", ...

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;

  // The same error with `where` and ": " in front. Whoever knows more says so, once.
  Error prefixed(std::string_view where) const;
};

// Prints the broken condition and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit
  template <class U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::decay_t<U>, Result> &&
           !std::is_same_v<std::decay_t<U>, Error> && !std::is_same_v<std::decay_t<U>, T>)
      Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return require(), *std::get_if<0>(&state_); }
  const T& value() const& { return require(), *std::get_if<0>(&state_); }
  T&& value() && { return require(), std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    if (ok()) check_failed("Result holds an error", __FILE__, __LINE__);
    return *std::get_if<1>(&state_);
  }

 private:
  void require() const {
    if (!ok()) check_failed("Result holds a value", __FILE__, __LINE__);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const {
    if (!ok()) check_failed("Result holds a value", __FILE__, __LINE__);
  }
  const Error& error() const {
    if (ok()) check_failed("Result holds an error", __FILE__, __LINE__);
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace vitrine

// VT_TRY(expression): returns the error of a Result, or goes on.
// VT_TRY(declaration, expression): the same, and the value goes into the declaration:
//   VT_TRY(auto file, files.open(path));
#define VT_TRY_CONCAT_(a, b) a##b
#define VT_TRY_CONCAT(a, b) VT_TRY_CONCAT_(a, b)
#define VT_TRY_1(expression)                       \
  do {                                             \
    auto vt_status = (expression);                 \
    if (!vt_status.ok()) return vt_status.error(); \
  } while (false)
#define VT_TRY_2_(name, declaration, expression) \
  auto name = (expression);                      \
  if (!name.ok()) return name.error();           \
  declaration = std::move(name).value()
#define VT_TRY_2(declaration, expression) \
  VT_TRY_2_(VT_TRY_CONCAT(vt_result_, __LINE__), declaration, expression)
#define VT_TRY_PICK(_1, _2, NAME, ...) NAME
#define VT_TRY(...) VT_TRY_PICK(__VA_ARGS__, VT_TRY_2, VT_TRY_1, )(__VA_ARGS__)

#define VT_CHECK(condition) \
  ((condition) ? void(0) : ::vitrine::check_failed(#condition, __FILE__, __LINE__))
