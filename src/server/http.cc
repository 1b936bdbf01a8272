#include "server/http.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "server/limits.h"
#include "server/turns.h"

namespace vitrine {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kUnforeseen = "this request failed in a way that was not foreseen";

// A training that outlives its server must not go on listening for it.
void keep_from_children(int socket) { ::fcntl(socket, F_SETFD, FD_CLOEXEC); }

std::string_view view(boost::string_view text) { return {text.data(), text.size()}; }

HttpRequest to_request(http::request<http::string_body>&& in) {
  HttpRequest request;
  request.method = std::string(view(in.method_string()));
  parse_target(view(in.target()), request);
  request.authorization = std::string(view(in[http::field::authorization]));
  request.api_key = std::string(view(in["X-API-Key"]));
  request.deadline_ms = std::string(view(in["X-Deadline-Ms"]));
  request.received = std::chrono::steady_clock::now();
  request.body = std::move(in.body());
  return request;
}

bool wants_continue(const http::request_parser<http::string_body>& parser) {
  return parser.is_header_done() && !parser.is_done() && parser.get().version() == 11 &&
         beast::iequals(parser.get()[http::field::expect], "100-continue");
}

double seconds_of(Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

thread_local bool t_dozes = false;  // waits for the network, or has just been woken by it

struct HttpServer::State {
  class Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;

  State(int io_threads, const HttpLimits& l, Callbacks c)
      : limits(l),
        callbacks(std::move(c)),
        awake(io_threads),
        io(io_threads),
        acceptor(asio::make_strand(io)),
        pause(acceptor.get_executor()),
        sweeper(io),
        turns(l.queue_ms_max * 1e-3),
        blocking(0) {}

  const HttpLimits limits;
  const Callbacks callbacks;
  int port = 0;

  std::mutex mutex;  // of the four below
  std::condition_variable changed;
  std::set<Connection*> connections;
  int admitted = 0;
  bool stopped = false;
  std::atomic<bool> stopping{false};
  std::atomic<int> waiting{0};  // requests for a blocking thread, and on one
  std::atomic<int> awake;       // threads that do not wait for the network

  // Last, so that connections that are destroyed with them find the rest alive.
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  tcp::acceptor acceptor;  // on a strand: it is closed from another thread
  asio::steady_timer pause, sweeper;
  Turns<ConnectionPtr> turns;
  asio::thread_pool blocking;  // of threads below
  std::vector<std::thread> threads;

  bool enter(Connection& connection);
  void leave(Connection& connection);
  void shut(bool all);
  void sweep();
  bool drained(int seconds_max);

  void accept();
  void accepted();
  void begin(tcp::socket socket);
  void work();
  void rouse();
  void answer_turns();
  HttpResponse handle(const HttpRequest& request) const;
  HttpResponse unforeseen() const;
  HttpResponse refuse(const error_code& error) const;
  HttpResponse overloaded(std::string_view message) const;
};

// One client. One thing at a time happens to it: a read, the turn of its request, a write; the
// thread that ends one begins the next. What goes on owns the connection, so that it closes when
// nothing does. Other threads may look at `busy` and `deadline` and shut the socket, no more, under
// State::mutex.
class HttpServer::State::Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(State& server, tcp::socket socket) : server_(server), socket_(std::move(socket)) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool admitted = false;           // counts towards connections_max
  std::atomic<bool> busy{false};   // from a request's last byte in to its answer's last byte out
  std::atomic<double> deadline{};  // of what it waits for, in seconds of the clock
  void shut(int how) { ::shutdown(socket_.native_handle(), how); }

  void begin();
  void go_on();
  void resume(HttpResponse response);
  void take_turn(bool in_time);

 private:
  void expire_in(int seconds) { deadline = seconds_of(Clock::now()) + seconds; }
  void read();
  bool parse(error_code& error);
  bool ask();
  bool ask_blocking(bool later);
  void ask_later();
  bool refuse(const error_code& error);
  bool answer(HttpResponse response);
  bool written();
  void linger();

  State& server_;
  tcp::socket socket_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;  // of a request that has begun
  bool told_to_continue_ = false;
  HttpRequest request_;  // while busy, and so the rest
  bool http10_ = false, keep_alive_ = false, head_only_ = false, lingers_ = false;
  std::string head_, body_;  // the answer
};

HttpServer::State::Connection::~Connection() {
  server_.leave(*this);
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
}

void HttpServer::State::Connection::begin() {
  expire_in(admitted ? kIdleSecondsMax : kLingerSecondsMax);
  read();
}

void HttpServer::State::Connection::read() {
  if (server_.stopping) return;
  const bool in_body = parser_ && parser_->is_header_done();
  socket_.async_read_some(buffer_.prepare(in_body ? kBodyReadBytes : kReadBytes),
                          [self = shared_from_this()](const error_code& error, std::size_t got) {
                            if (error) return;
                            self->buffer_.commit(got);
                            self->go_on();
                          });
}

// Takes requests from the buffer until one waits for more of it, for its turn or for the client.
void HttpServer::State::Connection::go_on() {
  try {
    while (true) {
      error_code error;
      if (!parse(error)) return read();
      if (!(error || !admitted ? refuse(error) : ask())) return;
    }
  } catch (const std::exception&) {  // out of memory, most likely: nothing is left to say
  }
}

// Idle until the first byte, then the whole request within its own limit: a slow sender is cut off.
// False: more must come.
bool HttpServer::State::Connection::parse(error_code& error) {
  if (buffer_.size() == 0) return false;
  if (!parser_) {
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(static_cast<std::uint64_t>(server_.limits.body_bytes_max));
    told_to_continue_ = false;
    if (admitted) expire_in(server_.limits.request_seconds_max);
  }
  buffer_.consume(parser_->put(buffer_.data(), error));
  if (error == http::error::need_more) error.clear();
  // Its end cannot be known: what follows would be taken for the next request.
  if (!error && parser_->is_header_done() && !parser_->chunked() &&
      parser_->get().count(http::field::transfer_encoding) > 0)
    error = http::error::bad_transfer_encoding;
  if (error || parser_->is_done()) return true;
  if (!admitted) return parser_->is_header_done();
  if (!told_to_continue_ && wants_continue(*parser_)) {
    told_to_continue_ = true;
    error_code unsent;  // shows at the next read
    socket_.write_some(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), unsent);
  }
  return false;
}

// Like answer(), or false when the answer comes later.
bool HttpServer::State::Connection::ask() {
  busy = true;
  deadline = std::numeric_limits<double>::infinity();
  http10_ = parser_->get().version() == 10;
  keep_alive_ = parser_->get().keep_alive();
  head_only_ = parser_->get().method() == http::verb::head;
  request_ = to_request(parser_->release());
  parser_.reset();
  const HttpWay way = server_.callbacks.way(request_);
  if (way == HttpWay::kAtOnce) return answer(server_.handle(request_));
  if (way != HttpWay::kInTurn) return ask_blocking(way == HttpWay::kLater);
  server_.rouse();
  server_.turns.come(shared_from_this(), seconds_of(request_.received));
  if (server_.turns.waiting() > static_cast<std::size_t>(server_.awake))
    asio::post(server_.io, [] {});  // wakes another thread
  return false;
}

bool HttpServer::State::Connection::ask_blocking(bool later) {
  if (server_.waiting.fetch_add(1) >= server_.limits.waiting_max) {
    --server_.waiting;
    return answer(server_.overloaded("too many requests are waiting; try again"));
  }
  if (later) {
    ask_later();
    return false;
  }
  asio::post(server_.blocking, [self = shared_from_this()] {
    HttpResponse response = self->server_.handle(self->request_);
    --self->server_.waiting;
    self->resume(std::move(response));
  });
  return false;
}

void HttpServer::State::Connection::ask_later() {
  // Whoever answers may keep `done` for longer than this connection is to live.
  const auto owner = std::make_shared<ConnectionPtr>(shared_from_this());
  const auto done = [owner, &io = server_.io](HttpResponse response) {
    asio::post(io, [self = std::move(*owner), response = std::move(response)]() mutable {
      --self->server_.waiting;
      self->resume(std::move(response));
    });
  };
  try {
    server_.callbacks.handle_later(request_, done);
  } catch (...) {
    done(server_.unforeseen());
  }
}

// What was not understood, or not admitted.
bool HttpServer::State::Connection::refuse(const error_code& error) {
  busy = true;
  keep_alive_ = false;
  lingers_ = true;
  return answer(server_.refuse(error));
}

void HttpServer::State::Connection::take_turn(bool in_time) {
  resume(in_time ? server_.handle(request_)
                 : server_.overloaded("more is asked than can be answered in time; try again"));
}

void HttpServer::State::Connection::resume(HttpResponse response) {
  try {
    if (answer(std::move(response))) go_on();
  } catch (const std::exception&) {  // out of memory: it closes
  }
}

// Sends what the socket takes at once and leaves the rest to it. True when all is sent and another
// request may come.
bool HttpServer::State::Connection::answer(HttpResponse response) {
  keep_alive_ = keep_alive_ && !server_.stopping;
  head_ = head_of(response, http10_, keep_alive_);
  body_ = head_only_ ? std::string() : std::move(response.body);
  expire_in(server_.limits.request_seconds_max);
  const std::array<asio::const_buffer, 2> whole{asio::buffer(head_), asio::buffer(body_)};
  error_code error;
  const std::size_t sent = socket_.write_some(whole, error);
  if (error && error != asio::error::would_block) return false;
  if (sent == head_.size() + body_.size()) return written();
  beast::buffers_suffix rest(whole);
  rest.consume(sent);
  asio::async_write(socket_, rest,
                    [self = shared_from_this()](const error_code& failed, std::size_t) {
                      if (!failed && self->written()) self->go_on();
                    });
  return false;
}

bool HttpServer::State::Connection::written() {
  // An idle connection holds little.
  request_ = {};
  body_ = {};
  if (buffer_.size() == 0 && buffer_.capacity() > kReadBytes) buffer_ = {};
  busy = false;
  if (lingers_ && !server_.stopping) {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    expire_in(kLingerSecondsMax);
    linger();
  } else if (keep_alive_) {
    expire_in(kIdleSecondsMax);
    return true;
  }
  return false;
}

// A client that is still sending would lose our answer to a reset: what it sends is thrown away
// until it has seen the end.
void HttpServer::State::Connection::linger() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(kReadBytes),
                          [self = shared_from_this()](const error_code& error, std::size_t) {
                            if (!error && !self->server_.stopping) self->linger();
                          });
}

// False when the connection is not to be served at all.
bool HttpServer::State::enter(Connection& connection) {
  std::lock_guard lock(mutex);
  if (stopping) return false;
  connections.insert(&connection);
  connection.admitted = admitted < limits.connections_max;
  admitted += connection.admitted ? 1 : 0;
  return true;
}

void HttpServer::State::leave(Connection& connection) {
  std::lock_guard lock(mutex);
  if (connections.erase(&connection) == 0) return;
  admitted -= connection.admitted ? 1 : 0;
  changed.notify_all();
}

// Ends what connections wait for, of those that are busy only if `all`.
void HttpServer::State::shut(bool all) {
  std::lock_guard lock(mutex);
  for (Connection* connection : connections) {
    if (all || !connection->busy) connection->shut(all ? SHUT_RDWR : SHUT_RD);
  }
}

// Ends, now and then, what took too long.
void HttpServer::State::sweep() {
  {
    std::lock_guard lock(mutex);
    const double now_s = seconds_of(Clock::now());
    for (Connection* connection : connections) {
      if (connection->deadline < now_s) connection->shut(SHUT_RDWR);
    }
  }
  sweeper.expires_after(std::chrono::milliseconds(kSweepMs));
  sweeper.async_wait([this](const error_code& error) {
    if (!error && !stopping) sweep();
  });
}

bool HttpServer::State::drained(int seconds_max) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, std::chrono::seconds(seconds_max),
                          [&] { return connections.empty(); });
}

void HttpServer::State::accept() {
  acceptor.async_wait(tcp::acceptor::wait_read, [this](const error_code& error) {
    if (!error && !stopping) accepted();
  });
}

// Many at a time: each round of accepting stands in line behind all that was read meanwhile.
void HttpServer::State::accepted() {
  error_code error;
  for (int i = 0; i < kAcceptsAtOnce && !error; ++i) {
    tcp::socket socket = acceptor.accept(io, error);
    if (error) break;
    try {
      begin(std::move(socket));
    } catch (const std::exception&) {  // out of memory: this client is dropped
      error = asio::error::no_memory;
    }
  }
  if (!error || error == asio::error::would_block || error == asio::error::connection_aborted)
    return accept();
  // Out of descriptors or memory, most likely: let some go.
  pause.expires_after(std::chrono::milliseconds(kAcceptPauseMs));
  pause.async_wait([this](const error_code&) {
    if (!stopping) accept();
  });
}

void HttpServer::State::begin(tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true);
  keep_from_children(socket.native_handle());
  const auto connection = std::make_shared<Connection>(*this, std::move(socket));
  if (enter(*connection)) connection->begin();
}

HttpResponse HttpServer::State::handle(const HttpRequest& request) const {
  try {
    return callbacks.handle(request);
  } catch (...) {
    return unforeseen();
  }
}

// What was thrown, as an answer.
HttpResponse HttpServer::State::unforeseen() const {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return callbacks.failed(503, "out of memory; try again, or ask for less");
  } catch (const std::exception&) {
    return callbacks.failed(500, kUnforeseen);
  }
}

HttpResponse HttpServer::State::refuse(const error_code& error) const {
  if (error == http::error::body_limit)
    return callbacks.failed(413, "the body is larger than server.body_bytes_max");
  if (error == http::error::header_limit) return callbacks.failed(431, "the headers are too large");
  if (error) return callbacks.failed(400, "this is not HTTP/1.1: " + error.message());
  return callbacks.failed(503, "too many connections; see server.connections_max");
}

HttpResponse HttpServer::State::overloaded(std::string_view message) const {
  HttpResponse refused = callbacks.failed(429, message);
  refused.headers.emplace_back("Retry-After", "1");
  return refused;
}

// A thread: reads first, then answers whose turn it is. Each has the other's time where that has
// nothing to do, and else its share, so that under overload requests are still read, and the probes
// of /healthz with them, but answering keeps most of the time.
void HttpServer::State::work() {
  while (!io.stopped()) {
    const auto until = Clock::now() + std::chrono::microseconds(kReadUs);
    while (io.poll_one() > 0 && Clock::now() < until) {
    }
    if (turns.waiting() > 0) {
      answer_turns();
      continue;
    }
    t_dozes = true;
    --awake;
    if (turns.waiting() == 0) io.run_one();
    rouse();
  }
}

// A thread that was woken to read a request is there to answer it.
void HttpServer::State::rouse() {
  if (std::exchange(t_dozes, false)) ++awake;
}

void HttpServer::State::answer_turns() {
  auto now = Clock::now();
  const auto until = now + std::chrono::microseconds(kAnswerUs);
  for (; now < until; now = Clock::now()) {
    const auto turn = turns.take(seconds_of(now));
    if (!turn) return;
    turn->who->take_turn(turn->in_time);
  }
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  stop();
  wait();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& host, int port,
                                                      int threads, const HttpLimits& limits,
                                                      Callbacks callbacks) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    return Error{Code::kInvalid,
                 "server.host: '" + host + "' is not an IP address, as 127.0.0.1 is"};
  auto state = std::make_unique<State>(threads, limits, std::move(callbacks));
  const tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  tcp::acceptor& acceptor = state->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor.non_blocking(true, error);
  if (acceptor.is_open()) keep_from_children(acceptor.native_handle());
  if (error == asio::error::address_in_use) {
    return Error{Code::kUnavailable,
                 "port " + std::to_string(port) + " on " + host +
                     " is in use: stop what listens there, or choose another with --port"};
  }
  if (error) {
    return Error{Code::kIo,
                 "cannot listen on " + host + ":" + std::to_string(port) + ": " + error.message()};
  }
  state->port = acceptor.local_endpoint().port();
  State* const s = state.get();
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(state)));
  s->accept();
  s->sweep();
  try {
    for (int i = 0; i < threads; ++i) s->threads.emplace_back([s] { s->work(); });
    for (int i = 0; i < kBlockingThreads; ++i)
      s->threads.emplace_back([s] { s->blocking.attach(); });
  } catch (const std::system_error&) {
    return Error{Code::kExhausted,
                 "there is no memory, or no process, left for the threads of the server"};
  }
  return server;
}

int HttpServer::port() const { return state_->port; }

void HttpServer::stop() {
  State& state = *state_;
  if (state.stopping.exchange(true)) return;
  asio::post(state.acceptor.get_executor(), [&state] {
    error_code ignored;
    state.acceptor.close(ignored);
  });
  state.shut(false);
  if (!state.drained(kDrainSecondsMax)) {
    state.shut(true);
    state.drained(1);
  }
  state.blocking.stop();  // what still waits for a thread is dropped
  state.blocking.join();
  state.io.stop();
  for (std::thread& thread : state.threads) thread.join();
  std::lock_guard lock(state.mutex);
  state.stopped = true;
  state.changed.notify_all();
}

void HttpServer::wait() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->stopped; });
}

}  // namespace vitrine
