// What is asked and answered over HTTP, and its text.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace vitrine {

struct HttpRequest {
  std::string method;                                      // "GET"
  std::string path;                                        // as sent, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string authorization, api_key, deadline_ms;         // of the headers of that name
  std::string body;
  std::chrono::steady_clock::time_point received;  // the last byte
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Decodes %XX; kInvalid when it is malformed. '+' stays.
Result<std::string> percent_decode(std::string_view text);

// Splits a request's target into path and decoded query, where '+' is a space; an undecodable
// value stays as it was sent.
void parse_target(std::string_view target, HttpRequest& request);

// Everything of an answer in front of its body, up to the empty line; its length is the body's.
std::string head_of(const HttpResponse& response, bool http10, bool keep_alive);

}  // namespace vitrine
