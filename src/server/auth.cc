#include "server/auth.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cstdlib>

namespace vitrine {
namespace {

constexpr std::size_t kSecretBytesMin = 16;
constexpr std::string_view kBearer = "bearer ";

std::array<unsigned char, 32> sha256(std::string_view text) {
  std::array<unsigned char, 32> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return hash;
}

Result<Scope> parse_scope(std::string_view text) {
  for (const Scope scope : {Scope::kRead, Scope::kWrite, Scope::kAdmin}) {
    if (scope_name(scope) == text) return scope;
  }
  return Error{Code::kInvalid,
               "unknown scope '" + std::string(text) + "', expected read, write or admin"};
}

// The text behind "env:NAME" or "file:PATH".
Result<std::string> resolve_secret(FileSystem& files, std::string_view reference) {
  if (reference.starts_with("env:")) {
    const std::string name(reference.substr(4));
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return Error{Code::kNotFound, "the environment has no variable " + name};
    return std::string(value);
  }
  if (reference.starts_with("file:")) {
    VT_TRY(std::string text, read_file(files, std::string(reference.substr(5))));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
  }
  return Error{Code::kInvalid,
               "expected env:VARIABLE or file:PATH; secrets do not stand in the configuration"};
}

// "Bearer KEY"; a scheme has no case.
bool is_bearer(std::string_view authorization) {
  if (authorization.size() < kBearer.size()) return false;
  for (std::size_t i = 0; i < kBearer.size(); ++i) {
    const char c = authorization[i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != kBearer[i]) return false;
  }
  return true;
}

bool is_loopback(const std::string& host) { return host.starts_with("127.") || host == "::1"; }

}  // namespace

std::string_view scope_name(Scope scope) {
  constexpr std::string_view kNames[] = {"open", "read", "write", "admin"};
  return kNames[static_cast<std::size_t>(scope)];
}

Result<Keys> Keys::open(FileSystem& files, const ServerOptions& options) {
  Keys keys;
  keys.development_ = options.development;
  if (options.development && !is_loopback(options.host)) {
    return Error{
        Code::kInvalid,
        "development mode answers without a key and so only on loopback; set server.host to "
        "127.0.0.1, or leave development off and give the server keys"};
  }
  for (std::size_t i = 0; i < options.keys.size(); ++i) {
    const std::string& text = options.keys[i];
    const std::size_t first = text.find(':');
    const std::size_t second = first == std::string::npos ? first : text.find(':', first + 1);
    if (first == 0 || second == std::string::npos) {  // not quoted: it may be a secret itself
      return Error{Code::kInvalid,
                   "server.keys[" + std::to_string(i) +
                       "]: expected name:scope:env:VARIABLE or name:scope:file:PATH"};
    }
    const std::string where = "server.keys '" + text.substr(0, first) + "'";
    auto scope = parse_scope(std::string_view(text).substr(first + 1, second - first - 1));
    if (!scope.ok()) return scope.error().prefixed(where);
    auto secret = resolve_secret(files, std::string_view(text).substr(second + 1));
    if (!secret.ok()) return secret.error().prefixed(where);
    if (secret->size() < kSecretBytesMin) {
      return Error{Code::kInvalid, where + ": a key has at least 16 characters"};
    }
    keys.keys_.push_back({text.substr(0, first), *scope, sha256(*secret)});
  }
  if (keys.keys_.empty() && !options.development) {
    return Error{Code::kInvalid,
                 "the server has no API keys: add server.keys = [\"shop:write:env:VITRINE_KEY\"], "
                 "or start it with "
                 "--development to answer without keys on loopback"};
  }
  return keys;
}

Status Keys::admit(std::string_view authorization, std::string_view api_key, Scope wanted) const {
  if (wanted == Scope::kOpen || development_) return {};
  std::string_view given = api_key;
  if (given.empty() && is_bearer(authorization)) given = authorization.substr(kBearer.size());
  if (given.empty())
    return Error{Code::kUnauthorized, "an API key is missing: send 'Authorization: Bearer KEY'"};
  const auto hash = sha256(given);
  const Key* found = nullptr;
  for (const Key& key : keys_) {  // all of them, so that the time tells nothing
    if (CRYPTO_memcmp(key.hash.data(), hash.data(), hash.size()) == 0) found = &key;
  }
  if (found == nullptr) return Error{Code::kUnauthorized, "this API key is not known here"};
  if (found->scope < wanted) {
    return Error{Code::kForbidden, "the key '" + found->name + "' has scope " +
                                       std::string(scope_name(found->scope)) + ", this needs " +
                                       std::string(scope_name(wanted))};
  }
  return {};
}

}  // namespace vitrine
