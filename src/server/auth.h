// API keys: each has a name, a scope, and a secret that is only kept as its SHA-256. Comparing
// takes the same time whatever the key. Scopes contain each other: admin > write > read.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "engine/config.h"

namespace vitrine {

enum class Scope { kOpen, kRead, kWrite, kAdmin };
std::string_view scope_name(Scope scope);

class Keys {
 public:
  // Resolves the references ("name:scope:env:VAR", "name:scope:file:PATH"). Without keys: kInvalid,
  // unless options.development, and then only for a loopback host.
  static Result<Keys> open(FileSystem& files, const ServerOptions& options);

  // kUnauthorized without a valid key, kForbidden when its scope is too small. `authorization` is
  // the header of that name ("Bearer KEY"), `api_key` that of X-API-Key, which goes first.
  Status admit(std::string_view authorization, std::string_view api_key, Scope wanted) const;

 private:
  struct Key {
    std::string name;
    Scope scope;
    std::array<unsigned char, 32> hash;
  };
  std::vector<Key> keys_;
  bool development_ = false;
};

}  // namespace vitrine
