#include "cli/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "cli/terminal.h"

namespace vitrine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kAnswerMax = std::chrono::seconds(10);
constexpr auto kSpin = std::chrono::microseconds(200);  // too short to sleep for
constexpr std::size_t kAnswerBytesMax = 64 << 20;
constexpr std::size_t kReadBytes = 64 * 1024;

Error failure(std::string_view what, std::string_view remedy = "") {
  return Error{Code::kIo, fmt::format("{}: {}{}", what, std::strerror(errno), remedy)};
}

// One keep-alive connection, its request on the way and as much of the answer as has come.
struct Connection {
  int socket = -1;
  bool busy = false;
  bool second = false;       // step of a request with two
  std::uint64_t number = 0;  // of the request
  Clock::time_point due, sent_at;
  std::string request, answer;
  std::size_t sent = 0, wanted = 0;  // wanted: bytes of the whole answer, 0 until they are known

  Connection() = default;
  ~Connection() { shut(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void shut() {
    if (socket >= 0) close(socket);
    socket = -1;
  }

  Status open(const LoadPlan& plan, int epoll) {
    socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0)
      return failure("cannot make a socket", "; raise `ulimit -n`, or lower --connections");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(plan.port));
    inet_pton(AF_INET, plan.host.c_str(), &address.sin_addr);
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) == 0) {
      return {};
    }
    const Error error = failure(fmt::format("cannot connect to {}:{}", plan.host, plan.port),
                                "; start `vitrine serve` there, or leave --port out");
    shut();
    return error;
  }

  // Sends what the socket takes.
  Status push() {
    while (sent < request.size()) {
      const ssize_t n =
          send(socket, request.data() + sent, request.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
      if (n <= 0) return failure("cannot send");
      sent += static_cast<std::size_t>(n);
    }
    return {};
  }

  // Reads what has come; true when the answer is whole.
  Result<bool> pull(std::span<char> room) {
    while (true) {
      const ssize_t n = recv(socket, room.data(), room.size(), MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return false;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure("cannot read");
      if (n == 0) return Error{Code::kIo, "the server closed the connection"};
      answer.append(room.data(), static_cast<std::size_t>(n));
      if (wanted == 0) {
        VT_TRY(wanted, answer_bytes());
      }
      if (wanted != 0 && answer.size() >= wanted) return true;
      if (answer.size() > kAnswerBytesMax)
        return Error{Code::kExhausted, "the answer is too large"};
    }
  }

  // Header and body together, once the header is there; 0 before.
  Result<std::size_t> answer_bytes() const {
    const std::size_t header = answer.find("\r\n\r\n");
    if (header == std::string::npos) return std::size_t{0};
    constexpr std::string_view kLength = "\r\nContent-Length:";
    for (std::size_t line = answer.find("\r\n"); line < header;
         line = answer.find("\r\n", line + 2)) {
      if (strncasecmp(answer.data() + line, kLength.data(), kLength.size()) != 0) continue;
      return header + 4 + std::strtoull(answer.data() + line + kLength.size(), nullptr, 10);
    }
    return Error{Code::kCorrupt, "an answer without Content-Length"};
  }

  int status() const { return std::atoi(answer.c_str() + std::strlen("HTTP/1.1 ")); }
  std::string_view body() const {
    return std::string_view(answer).substr(answer.find("\r\n\r\n") + 4);
  }
};

// One thread's share of the load: every plan.threads-th request.
class Client {
 public:
  Client(const LoadPlan& plan, int thread, Clock::time_point start)
      : plan_(plan),
        start_(start),
        end_(start + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(plan.seconds))),
        next_(static_cast<std::uint64_t>(thread)),
        connections_(static_cast<std::size_t>((plan.connections + plan.threads - 1 - thread) /
                                              plan.threads)),
        room_(kReadBytes),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    head_ = head_of(plan.path);
    then_head_ = head_of(plan.then_path);
    for (Connection& connection : connections_) idle_.push_back(&connection);
  }
  ~Client() { close(epoll_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<LoadResult> run() {
    while (!interrupted()) {
      const auto now = Clock::now();
      while (!idle_.empty() && due() <= now && now < end_) VT_TRY(start_one(now));
      if (now >= end_ && idle_.size() == connections_.size()) break;
      wait(now);
    }
    if (plan_.rate > 0) {
      for (; due() < end_; next_ += step()) ++result_.unsent;
    }
    timespec cpu{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    result_.cpu_s = static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec);
    return std::move(result_);
  }

 private:
  std::uint64_t step() const { return static_cast<std::uint64_t>(plan_.threads); }
  Clock::time_point due() const {
    if (plan_.rate <= 0) return start_;
    return start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(next_) / plan_.rate));
  }

  // Of every request, up to its length.
  std::string head_of(const std::string& path) const {
    std::string head = fmt::format(
        "{} {} HTTP/1.1\r\nHost: {}:{}\r\n{}", plan_.body ? "POST" : "GET", path, plan_.host,
        plan_.port, plan_.key.empty() ? "" : "Authorization: Bearer " + plan_.key + "\r\n");
    if (plan_.body) head += "Content-Type: application/json\r\nContent-Length: ";
    return head;
  }

  static void write(Connection& c, const std::string& head, const std::string& body) {
    c.request = head;
    c.request += std::to_string(body.size());
    c.request += "\r\n\r\n";
    c.request += body;
    c.answer.clear();
    c.sent = c.wanted = 0;
  }

  // An error when the connection cannot be opened: it would not be in a moment either.
  Status start_one(Clock::time_point now) {
    Connection& c = *idle_.back();
    if (c.socket < 0) VT_TRY(c.open(plan_, epoll_));
    idle_.pop_back();
    c.busy = true;
    c.due = plan_.rate > 0 ? due() : now;
    c.sent_at = now;
    c.number = next_;
    c.second = false;
    if (plan_.body) {
      write(c, head_, plan_.body(next_));
    } else {
      c.request = head_ + "\r\n";
      c.answer.clear();
      c.sent = c.wanted = 0;
    }
    next_ += step();
    if (const Status pushed = c.push(); !pushed.ok()) fail(c, pushed.error().message);
    return {};
  }

  // Sleeps until an answer comes or a request is due; very short waits are spent looking.
  void wait(Clock::time_point now) {
    auto until = now + std::chrono::milliseconds(100);
    if (now < end_) until = std::min(until, end_);
    if (!idle_.empty() && now < end_) until = std::min(until, due());
    const auto left = std::max(until - now, Clock::duration(0));
    timespec limit{};
    if (left > kSpin) {
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left - kSpin / 2);
      limit.tv_nsec = static_cast<long>(ns.count());
    }
    std::array<epoll_event, 64> events;
    const int count = epoll_pwait2(epoll_, events.data(), events.size(), &limit, nullptr);
    for (int i = 0; i < count; ++i) {
      advance(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    if (now - looked_ > std::chrono::seconds(1)) give_up(now);
  }

  void advance(Connection& c) {
    if (c.socket < 0) return;
    if (!c.busy) {  // nothing is asked: the server has closed it, or this is the edge of opening
      char byte;
      if (recv(c.socket, &byte, 1, MSG_DONTWAIT) == 0) c.shut();
      return;
    }
    const Status pushed = c.push();
    if (!pushed.ok()) return fail(c, pushed.error().message);
    const auto whole = c.pull(room_);
    if (!whole.ok()) return fail(c, whole.error().message);
    if (*whole) finish(c);
  }

  void finish(Connection& c) {
    const int status = c.status();
    if (status == 429 || status == 503) {
      ++result_.refused;
    } else if (status >= 400) {
      ++result_.failed;
      if (result_.first_failure.empty())
        result_.first_failure = fmt::format("status {}: {}", status, c.body().substr(0, 200));
    } else if (plan_.then && !c.second) {
      c.second = true;
      write(c, then_head_, plan_.then(c.number, std::string(c.body())));
      const Status pushed = c.push();
      return pushed.ok() ? void() : fail(c, pushed.error().message);
    } else if (std::string wrong = plan_.check ? plan_.check(c.number, c.body()) : "";
               !wrong.empty()) {
      ++result_.failed;
      if (result_.first_failure.empty()) result_.first_failure = std::move(wrong);
    } else {
      ++result_.answered;
      const std::chrono::duration<double, std::milli> latency = Clock::now() - c.due;
      result_.latency_ms.push_back(latency.count());
    }
    c.busy = false;
    idle_.push_back(&c);
  }

  void fail(Connection& c, const std::string& message) {
    ++result_.failed;
    if (result_.first_failure.empty()) result_.first_failure = message;
    c.shut();
    c.busy = false;
    idle_.push_back(&c);
  }

  void give_up(Clock::time_point now) {
    looked_ = now;
    for (Connection& c : connections_) {
      if (c.busy && now - c.sent_at > kAnswerMax) fail(c, "the server took too long");
    }
  }

  const LoadPlan& plan_;
  const Clock::time_point start_, end_;
  std::uint64_t next_;  // request
  std::string head_, then_head_;
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  std::vector<char> room_;
  const int epoll_;
  Clock::time_point looked_ = start_;
  LoadResult result_;
};

void add(LoadResult& sum, LoadResult&& part) {
  sum.answered += part.answered;
  sum.refused += part.refused;
  sum.failed += part.failed;
  sum.unsent += part.unsent;
  sum.cpu_s += part.cpu_s;
  sum.latency_ms.insert(sum.latency_ms.end(), part.latency_ms.begin(), part.latency_ms.end());
  if (sum.first_failure.empty()) sum.first_failure = std::move(part.first_failure);
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
  const auto start = Clock::now() + std::chrono::milliseconds(20);
  LoadResult result;
  Status failed;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int t = 0; t < plan.threads; ++t) {
    threads.emplace_back([&, t] {
      Client client(plan, t, start);
      auto part = client.run();
      std::lock_guard lock(mutex);
      if (part.ok())
        add(result, *std::move(part));
      else
        failed = part.error();
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (!failed.ok()) return failed.error();
  result.elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
  std::sort(result.latency_ms.begin(), result.latency_ms.end());
  return result;
}

}  // namespace vitrine
