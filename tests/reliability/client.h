// The least of an HTTP client: one request, one status.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace vitrine {

// The port that a server said it listens on; 0: it has not said so.
inline int port_of(const std::string& says) {
  const std::size_t at = says.find("http://127.0.0.1:");
  return at == std::string::npos ? 0 : std::atoi(says.c_str() + at + 17);
}

// 0: the connection broke before there was an answer.
inline int ask(int port, const char* method, const char* path, const std::string& body) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval patience{60, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string request = std::string(method) + " " + path +
                        " HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body;
  const void* const to = &address;
  bool whole = ::connect(socket, static_cast<const sockaddr*>(to), sizeof address) == 0;
  for (std::size_t sent = 0; whole && sent < request.size();) {
    const ssize_t n = ::send(socket, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    whole = n > 0;
    sent += whole ? static_cast<std::size_t>(n) : 0;
  }
  std::string answer;
  char block[4096];
  for (ssize_t n = 0; (n = ::recv(socket, block, sizeof block, 0)) > 0;)
    answer.append(block, static_cast<std::size_t>(n));
  ::close(socket);
  return answer.size() > 12 ? std::atoi(answer.c_str() + 9) : 0;
}

}  // namespace vitrine
