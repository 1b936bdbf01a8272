#include "server/http_message.h"

#include <algorithm>

namespace vitrine {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view reason_of(int status) {
  constexpr std::pair<int, std::string_view> kReasons[] = {{200, "OK"},
                                                           {202, "Accepted"},
                                                           {400, "Bad Request"},
                                                           {401, "Unauthorized"},
                                                           {403, "Forbidden"},
                                                           {404, "Not Found"},
                                                           {405, "Method Not Allowed"},
                                                           {409, "Conflict"},
                                                           {413, "Payload Too Large"},
                                                           {422, "Unprocessable Entity"},
                                                           {429, "Too Many Requests"},
                                                           {431, "Request Header Fields Too Large"},
                                                           {500, "Internal Server Error"},
                                                           {503, "Service Unavailable"},
                                                           {507, "Insufficient Storage"}};
  for (const auto& [known, reason] : kReasons) {
    if (known == status) return reason;
  }
  return "Unknown";
}

}  // namespace

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return Error{Code::kInvalid, "a '%' that two hexadecimal digits do not follow"};
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

void parse_target(std::string_view target, HttpRequest& request) {
  const std::size_t mark = target.find('?');
  request.path = std::string(target.substr(0, mark));
  if (mark == std::string_view::npos) return;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    const std::string_view raw = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    std::string spaced(raw);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');  // as forms write it
    auto value = percent_decode(spaced);
    request.query.emplace_back(std::string(pair.substr(0, equals)),
                               value.ok() ? *value : std::string(raw));
  }
}

std::string head_of(const HttpResponse& response, bool http10, bool keep_alive) {
  std::string head = http10 ? "HTTP/1.0 " : "HTTP/1.1 ";
  const auto line = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  head.append(std::to_string(response.status)).append(" ").append(reason_of(response.status));
  head.append("\r\n");
  line("Server", "vitrine");
  if (!response.content_type.empty()) line("Content-Type", response.content_type);
  for (const auto& header : response.headers) line(header.first, header.second);
  if (keep_alive && http10) line("Connection", "keep-alive");
  if (!keep_alive && !http10) line("Connection", "close");
  line("Content-Length", std::to_string(response.body.size()));
  return head.append("\r\n");
}

}  // namespace vitrine
