#include "server/http.h"

#include <utility>

#include <algorithm>
#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "server/limits.h"
#include "server/turns.h"

namespace vitrine {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using std::chrono::seconds;

using Reply = http::response<http::string_body>;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

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

Reply to_reply(HttpResponse&& response, unsigned version, bool keep_alive, bool head) {
  Reply reply;
  reply.version(version);
  reply.result(static_cast<unsigned>(response.status));
  reply.set(http::field::server, "vitrine");
  if (!response.content_type.empty()) reply.set(http::field::content_type, response.content_type);
  for (const auto& header : response.headers) reply.set(header.first, header.second);
  reply.keep_alive(keep_alive);
  const std::size_t size = response.body.size();
  if (!head) reply.body() = std::move(response.body);
  reply.content_length(size);
  return reply;
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

namespace {

// One client. Everything but its place in the set belongs to its strand.
struct Connection {
  explicit Connection(tcp::socket socket) : stream(std::move(socket)) {}
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  bool admitted = false;   // counts towards connections_max
  bool answering = false;  // from a request's last byte in to its answer's last byte out
};

enum class Ending { kClosed, kLinger };

bool wants_continue(const http::request_parser<http::string_body>& parser) {
  return !parser.is_done() && parser.get().version() == 11 &&
         beast::iequals(parser.get()[http::field::expect], "100-continue");
}

}  // namespace

struct HttpServer::State {
  State(int io_threads, const HttpLimits& l, Callbacks c)
      : limits(l),
        callbacks(std::move(c)),
        awake(io_threads),
        io(io_threads),
        acceptor(asio::make_strand(io)),
        turns(io_threads, l.queue_ms_max * 1e-3),
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

  // Last, so that coroutines that are destroyed with them find the rest alive.
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  tcp::acceptor acceptor;  // on a strand: it is closed from another thread
  Turns turns;
  asio::thread_pool blocking;  // of threads below
  std::vector<std::thread> threads;

  bool enter(Connection& connection);
  void leave(Connection& connection);
  void cancel(bool all);
  bool drained(int seconds_max);

  asio::awaitable<void> accept_all();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<Ending> converse(Connection& connection);
  asio::awaitable<void> linger(Connection& connection);
  asio::awaitable<boost::system::error_code> read(Connection& connection,
                                                  http::request_parser<http::string_body>& parser);
  asio::awaitable<HttpResponse> answer(HttpRequest request);
  asio::awaitable<HttpResponse> answer_in_turn(const HttpRequest& request);
  void work();
  asio::awaitable<HttpResponse> later(const HttpRequest& request);
  HttpResponse handle(const HttpRequest& request) const;
  HttpResponse unforeseen() const;
  HttpResponse refuse(const boost::system::error_code& error) const;
  HttpResponse overloaded(std::string_view message) const;
};

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

// Ends what connections wait for, of those that are answering only if `all`.
void HttpServer::State::cancel(bool all) {
  std::lock_guard lock(mutex);
  for (Connection* connection : connections) {
    asio::post(connection->stream.get_executor(), [this, connection, all] {
      std::lock_guard inner(mutex);
      if (connections.count(connection) == 0) return;
      if (all || !connection->answering) connection->stream.cancel();
    });
  }
}

bool HttpServer::State::drained(int seconds_max) {
  std::unique_lock lock(mutex);
  return changed.wait_for(lock, seconds(seconds_max), [&] { return connections.empty(); });
}

asio::awaitable<void> HttpServer::State::accept_all() {
  while (!stopping) {
    boost::system::error_code error;
    tcp::socket socket(asio::make_strand(io));
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (stopping) break;
    if (!error) {
      try {
        socket.set_option(tcp::no_delay(true), error);
        auto executor = socket.get_executor();
        asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
        continue;
      } catch (const std::exception&) {  // out of memory: this client is dropped
      }
    }
    // Out of descriptors or memory, most likely: let some go.
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(50));
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<void> HttpServer::State::serve(tcp::socket socket) {
  Connection connection(std::move(socket));
  try {
    if (enter(connection)) {
      const Ending ending = co_await converse(connection);
      if (ending == Ending::kLinger) co_await linger(connection);
    }
  } catch (const std::exception&) {  // a broken connection: nothing is left to say
  }
  boost::system::error_code ignored;
  connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  leave(connection);
}

// A client that is still sending would lose our answer to a reset: what it sends is thrown away
// until it has seen the end.
asio::awaitable<void> HttpServer::State::linger(Connection& connection) {
  boost::system::error_code error;
  connection.stream.socket().shutdown(tcp::socket::shutdown_send, error);
  connection.stream.expires_after(seconds(kLingerSecondsMax));
  connection.buffer.clear();
  while (!error && !stopping) {
    co_await connection.stream.async_read_some(connection.buffer.prepare(kReadBytes),
                                               asio::redirect_error(asio::use_awaitable, error));
  }
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
    return callbacks.failed(500, "this request failed in a way that was not foreseen");
  }
}

HttpResponse HttpServer::State::overloaded(std::string_view message) const {
  HttpResponse refused = callbacks.failed(429, message);
  refused.headers.emplace_back("Retry-After", "1");
  return refused;
}

// Waits in the queue of turns while work() goes on reading.
asio::awaitable<HttpResponse> HttpServer::State::answer_in_turn(const HttpRequest& request) {
  HttpResponse response;
  const auto ask = [&](auto handler) {
    auto resume = std::make_shared<decltype(handler)>(std::move(handler));
    const auto executor = asio::get_associated_executor(*resume);
    const auto go_on = [resume, executor] { asio::post(executor, [resume] { (*resume)(); }); };
    const bool waits = turns.ask([this, &request, &response, go_on] {
      response = handle(request);
      go_on();
    });
    if (!waits) {
      response = overloaded("more is asked than can be answered in time; try again");
      go_on();
    } else if (turns.waiting() > static_cast<std::size_t>(awake)) {
      asio::post(io, [] {});  // wakes another thread
    }
  };
  co_await asio::async_initiate<decltype(asio::use_awaitable), void()>(ask, asio::use_awaitable);
  co_return response;
}

// A thread: reads and writes first, then answers whose turn it is. Each has the other's time where
// that has nothing to do, and else its share, so that under overload requests are still read, to be
// refused, and the probes of /healthz with them, but answering keeps most of the time.
void HttpServer::State::work() {
  using std::chrono::steady_clock;
  while (!io.stopped()) {
    const auto begin = steady_clock::now();
    while (io.poll_one() > 0 && steady_clock::now() - begin < std::chrono::microseconds(kReadUs)) {
    }
    auto now = steady_clock::now();
    const auto until = now + std::chrono::microseconds(kAnswerUs);
    bool answered = false;
    while (now < until) {
      const Turns::Job job = turns.take();
      if (!job) break;
      answered = true;
      job();
      const auto end = steady_clock::now();
      turns.took(std::chrono::duration<double>(end - now).count());
      now = end;
    }
    if (answered) continue;
    --awake;
    if (turns.waiting() == 0) io.run_one();
    ++awake;
  }
}

// The answer comes back to the connection's own strand, whichever thread gives it.
asio::awaitable<HttpResponse> HttpServer::State::later(const HttpRequest& request) {
  const auto start = [&](auto handler) {
    using Handler = decltype(handler);
    struct Asked {
      explicit Asked(Handler&& h) : handler(std::move(h)), work(asio::make_work_guard(handler)) {}
      Handler handler;
      asio::executor_work_guard<asio::associated_executor_t<Handler>> work;
    };
    auto asked = std::make_shared<Asked>(std::move(handler));
    const auto done = [asked](HttpResponse response) {
      asio::post(asked->work.get_executor(), [asked, response = std::move(response)]() mutable {
        std::move(asked->handler)(std::move(response));
      });
    };
    try {
      callbacks.handle_later(request, done);
    } catch (...) {
      done(unforeseen());
    }
  };
  return asio::async_initiate<const asio::use_awaitable_t<>, void(HttpResponse)>(
      start, asio::use_awaitable);
}

asio::awaitable<HttpResponse> HttpServer::State::answer(HttpRequest request) {
  const HttpWay way = callbacks.way(request);
  if (way == HttpWay::kAtOnce) co_return handle(request);
  if (way == HttpWay::kInTurn) co_return co_await answer_in_turn(request);
  struct Place {
    std::atomic<int>& count;
    const int before = count.fetch_add(1);
    ~Place() { --count; }
  };
  const Place place{waiting};
  if (place.before >= limits.waiting_max)
    co_return overloaded("too many requests are waiting; try again");
  if (way == HttpWay::kLater) co_return co_await later(request);
  co_return co_await asio::co_spawn(
      blocking, [&]() -> asio::awaitable<HttpResponse> { co_return handle(request); },
      asio::use_awaitable);
}

// Idle until the first byte, then the whole request within its own limit: a slow sender is cut off.
asio::awaitable<boost::system::error_code> HttpServer::State::read(
    Connection& connection, http::request_parser<http::string_body>& parser) {
  boost::system::error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  beast::tcp_stream& stream = connection.stream;
  parser.header_limit(kHeaderBytesMax);
  parser.body_limit(static_cast<std::uint64_t>(limits.body_bytes_max));
  if (connection.buffer.size() == 0) {
    stream.expires_after(seconds(connection.admitted ? kIdleSecondsMax : kLingerSecondsMax));
    const std::size_t got =
        co_await stream.async_read_some(connection.buffer.prepare(kReadBytes), token);
    if (error) co_return error;
    connection.buffer.commit(got);
  }
  if (stopping) co_return asio::error::operation_aborted;
  stream.expires_after(
      seconds(connection.admitted ? limits.request_seconds_max : kLingerSecondsMax));
  co_await http::async_read_header(stream, connection.buffer, parser, token);
  if (error || !connection.admitted) co_return error;
  if (wants_continue(parser)) {
    co_await asio::async_write(
        stream, asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), token);
    if (error) co_return error;
  }
  co_await http::async_read(stream, connection.buffer, parser, token);
  co_return error;
}

// What was not understood, or not admitted.
HttpResponse HttpServer::State::refuse(const boost::system::error_code& error) const {
  if (error == http::error::body_limit)
    return callbacks.failed(413, "the body is larger than server.body_bytes_max");
  if (error == http::error::header_limit) return callbacks.failed(431, "the headers are too large");
  if (error) return callbacks.failed(400, "this is not HTTP/1.1: " + error.message());
  return callbacks.failed(503, "too many connections; see server.connections_max");
}

asio::awaitable<Ending> HttpServer::State::converse(Connection& connection) {
  static const auto& http_errors = make_error_code(http::error::end_of_stream).category();
  while (!stopping) {
    http::request_parser<http::string_body> parser;
    boost::system::error_code error = co_await read(connection, parser);
    const bool gone = error == http::error::end_of_stream || error == http::error::partial_message;
    if (gone || (error && error.category() != http_errors)) co_return Ending::kClosed;
    connection.answering = true;
    const bool understood = !error && connection.admitted;
    bool keep_alive = understood && parser.get().keep_alive();
    const bool head = understood && parser.get().method() == http::verb::head;
    const unsigned version = understood ? parser.get().version() : 11;
    HttpResponse response;
    if (understood) {
      response = co_await answer(to_request(parser.release()));
    } else {
      response = refuse(error);
    }
    keep_alive = keep_alive && !stopping;
    Reply reply = to_reply(std::move(response), version, keep_alive, head);
    connection.stream.expires_after(seconds(limits.request_seconds_max));
    http::response_serializer<http::string_body> serializer(reply);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    if (head) {
      co_await http::async_write_header(connection.stream, serializer, token);
    } else {
      co_await http::async_write(connection.stream, serializer, token);
    }
    connection.answering = false;
    if (error) co_return Ending::kClosed;
    if (!understood) co_return Ending::kLinger;
    if (!keep_alive) co_return Ending::kClosed;
  }
  co_return Ending::kClosed;
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() {
  stop();
  wait();
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& host, int port,
                                                      int threads, const HttpLimits& limits,
                                                      Callbacks callbacks) {
  boost::system::error_code error;
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
  asio::co_spawn(acceptor.get_executor(), state->accept_all(), asio::detached);
  State* const s = state.get();
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(state)));
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
    boost::system::error_code ignored;
    state.acceptor.close(ignored);
  });
  state.cancel(false);
  if (!state.drained(kDrainSecondsMax)) {
    state.cancel(true);
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
