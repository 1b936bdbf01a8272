#include "cli/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <thread>

#include "cli/terminal.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kAnswerSecondsMax = 10;
constexpr std::size_t kAnswerBytesMax = 64 << 20;

// One keep-alive connection. Reconnects after a failure.
class Connection {
 public:
  Connection(const LoadPlan& plan) : plan_(plan) {}
  ~Connection() { close_socket(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends one request and reads its whole answer. Returns the status code, or an error.
  Result<int> post(const std::string& body) {
    VT_TRY(connect_socket());
    request_.clear();
    fmt::format_to(std::back_inserter(request_),
                   "POST {} HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: application/json\r\n{}"
                   "Content-Length: {}\r\n\r\n",
                   plan_.path, plan_.host, plan_.port,
                   plan_.key.empty() ? "" : "Authorization: Bearer " + plan_.key + "\r\n",
                   body.size());
    request_ += body;
    auto status = exchange();
    if (!status.ok()) close_socket();
    return status;
  }

 private:
  Status connect_socket() {
    if (socket_ >= 0) return {};
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(plan_.port));
    inet_pton(AF_INET, plan_.host.c_str(), &address.sin_addr);
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval limit{kAnswerSecondsMax, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      Error error{Code::kIo, fmt::format("cannot connect to {}:{}: {}", plan_.host, plan_.port,
                                         std::strerror(errno))};
      close_socket();
      return error;
    }
    return {};
  }

  void close_socket() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

  Result<int> exchange() {
    for (std::size_t sent = 0; sent < request_.size();) {
      const ssize_t n = send(socket_, request_.data() + sent, request_.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return Error{Code::kIo, fmt::format("cannot send: {}", std::strerror(errno))};
      sent += static_cast<std::size_t>(n);
    }
    answer_.clear();
    std::size_t wanted = std::string::npos;
    while (answer_.size() < wanted) {
      char buffer[16384];
      const ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) return Error{Code::kIo, "the server closed the connection or took too long"};
      answer_.append(buffer, static_cast<std::size_t>(n));
      if (wanted == std::string::npos) {
        VT_TRY(wanted, answer_size());
      }
      if (answer_.size() > kAnswerBytesMax)
        return Error{Code::kExhausted, "the answer is too large"};
    }
    return std::atoi(answer_.c_str() + std::strlen("HTTP/1.1 "));
  }

  // Header and body together, once the header is there; npos before.
  Result<std::size_t> answer_size() const {
    const std::size_t header = answer_.find("\r\n\r\n");
    if (header == std::string::npos) return std::string::npos;
    std::string lower = answer_.substr(0, header);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::size_t at = lower.find("content-length:");
    if (at == std::string::npos) return Error{Code::kCorrupt, "an answer without Content-Length"};
    return header + 4 +
           std::strtoull(lower.c_str() + at + std::strlen("content-length:"), nullptr, 10);
  }

  const LoadPlan& plan_;
  int socket_ = -1;
  std::string request_, answer_;
};

struct Shared {
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  LoadResult result;
};

void work(const LoadPlan& plan, std::uint64_t total, Clock::time_point start, Shared& shared) {
  Connection connection(plan);
  std::vector<double> latencies;
  std::uint64_t failed = 0;
  std::string failure;
  for (auto i = shared.next.fetch_add(1); i < total && !interrupted();
       i = shared.next.fetch_add(1)) {
    const std::string body = plan.body(i);
    const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(static_cast<double>(i) / plan.rate));
    std::this_thread::sleep_until(due);
    const auto status = connection.post(body);
    latencies.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due).count());
    if (!status.ok() || *status >= 400) {
      ++failed;
      if (failure.empty())
        failure = status.ok() ? fmt::format("status {}", *status) : status.error().message;
    }
  }
  std::lock_guard lock(shared.mutex);
  LoadResult& result = shared.result;
  result.requests += latencies.size();
  result.failed += failed;
  result.latency_ms.insert(result.latency_ms.end(), latencies.begin(), latencies.end());
  if (result.first_failure.empty()) result.first_failure = failure;
}

}  // namespace

double LoadResult::percentile(double share) const {
  if (latency_ms.empty()) return 0;
  const double at = share * static_cast<double>(latency_ms.size());
  return latency_ms[std::min(latency_ms.size() - 1, static_cast<std::size_t>(at))];
}

Result<LoadResult> run_load(const LoadPlan& plan) {
  if (!plan.host.starts_with("127.")) {
    return Error{Code::kInvalid,
                 "load is only sent to this machine's own loopback addresses (127.*)"};
  }
  Shared shared;
  const auto total = static_cast<std::uint64_t>(std::ceil(plan.rate * plan.seconds));
  const auto start = Clock::now() + std::chrono::milliseconds(20);
  std::vector<std::thread> threads;
  for (int i = 0; i < plan.connections; ++i) {
    threads.emplace_back([&] { work(plan, total, start, shared); });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult result = std::move(shared.result);
  result.elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
  std::sort(result.latency_ms.begin(), result.latency_ms.end());
  return result;
}

}  // namespace vitrine
