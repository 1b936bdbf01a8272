#include "server/http.h"

#include <utility>

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "server/limits.h"

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
    auto value = percent_decode(raw);
    request.query.emplace_back(std::string(pair.substr(0, equals)),
                               value.ok() ? *value : std::string(raw));
  }
}

struct HttpServer::State {
  State(int io_threads, const HttpLimits& l, Callbacks c)
      : limits(l),
        callbacks(std::move(c)),
        io(io_threads),
        acceptor(io),
        blocking(kBlockingThreads) {}

  const HttpLimits limits;
  const Callbacks callbacks;
  asio::io_context io;
  tcp::acceptor acceptor;
  asio::thread_pool blocking;
  std::vector<std::thread> threads;
  int port = 0;

  std::mutex mutex;  // of the three below
  std::condition_variable changed;
  std::set<beast::tcp_stream*> streams;  // open connections
  bool stopped = false;
  std::atomic<bool> stopping{false};
  std::atomic<int> busy{0};     // requests between read and written
  std::atomic<int> waiting{0};  // for a blocking thread

  bool enter(beast::tcp_stream* stream) {
    std::lock_guard lock(mutex);
    if (stopping) return false;
    streams.insert(stream);
    return streams.size() <= static_cast<std::size_t>(limits.connections_max);
  }
  void leave(beast::tcp_stream* stream) {
    std::lock_guard lock(mutex);
    streams.erase(stream);
    changed.notify_all();
  }

  asio::awaitable<void> accept_all();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<void> converse(beast::tcp_stream& stream, bool admitted);
  asio::awaitable<HttpResponse> answer(HttpRequest request);
};

asio::awaitable<void> HttpServer::State::accept_all() {
  while (!stopping) {
    boost::system::error_code error;
    tcp::socket socket(asio::make_strand(io));
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (stopping) break;
    if (error) {  // out of descriptors, most likely: let some go
      asio::steady_timer pause(io, std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    socket.set_option(tcp::no_delay(true), error);
    auto executor = socket.get_executor();
    asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::State::serve(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  const bool admitted = enter(&stream);
  try {
    co_await converse(stream, admitted);
  } catch (const std::exception&) {  // a broken connection: nothing is left to say
  }
  boost::system::error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
  leave(&stream);
}

asio::awaitable<HttpResponse> HttpServer::State::answer(HttpRequest request) {
  if (!callbacks.blocks(request)) co_return callbacks.handle(request);
  if (waiting.fetch_add(1) >= kBlockingQueueMax) {
    waiting.fetch_sub(1);
    HttpResponse refused = callbacks.failed(429, "too many writes are waiting; try again");
    refused.headers.emplace_back("Retry-After", "1");
    co_return refused;
  }
  HttpResponse response = co_await asio::co_spawn(
      blocking, [&]() -> asio::awaitable<HttpResponse> { co_return callbacks.handle(request); },
      asio::use_awaitable);
  waiting.fetch_sub(1);
  co_return response;
}

asio::awaitable<void> HttpServer::State::converse(beast::tcp_stream& stream, bool admitted) {
  beast::flat_buffer buffer;
  bool keep_alive = true;
  while (keep_alive && !stopping) {
    boost::system::error_code error;
    http::request_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(static_cast<std::uint64_t>(limits.body_bytes_max));
    // Idle until the first byte, then the whole request within its own limit: a slow sender is cut
    // off.
    if (buffer.size() == 0) {
      stream.expires_after(seconds(kIdleSecondsMax));
      const std::size_t got = co_await stream.async_read_some(
          buffer.prepare(kHeaderBytesMax), asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      buffer.commit(got);
    }
    stream.expires_after(seconds(limits.request_seconds_max));
    co_await http::async_read(stream, buffer, parser,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error == http::error::end_of_stream || error == asio::error::operation_aborted ||
        error == beast::error::timeout || error == asio::error::connection_reset) {
      co_return;
    }
    ++busy;
    HttpResponse response;
    unsigned version = 11;
    bool head = false;
    if (error == http::error::body_limit) {
      response = callbacks.failed(413, "the body is larger than server.body_bytes_max");
    } else if (error == http::error::header_limit) {
      response = callbacks.failed(431, "the headers are too large");
    } else if (error) {
      response = callbacks.failed(400, "this is not HTTP/1.1: " + error.message());
    } else if (!admitted) {
      response = callbacks.failed(503, "too many connections; see server.connections_max");
    } else {
      version = parser.get().version();
      head = parser.get().method() == http::verb::head;
      keep_alive = parser.get().keep_alive();
      response = co_await answer(to_request(parser.release()));
    }
    keep_alive = keep_alive && !error && admitted && !stopping;
    Reply reply = to_reply(std::move(response), version, keep_alive, head);
    stream.expires_after(seconds(limits.request_seconds_max));
    http::response_serializer<http::string_body> serializer(reply);
    if (head) {
      co_await http::async_write_header(stream, serializer,
                                        asio::redirect_error(asio::use_awaitable, error));
    } else {
      co_await http::async_write(stream, serializer,
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    --busy;
    if (error) co_return;
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
  boost::system::error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (error) return Error{Code::kInvalid, "server.host: '" + host + "' is not an IP address"};
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
  asio::co_spawn(state->io, state->accept_all(), asio::detached);
  for (int i = 0; i < threads; ++i) {
    state->threads.emplace_back([s = state.get()] { s->io.run(); });
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

int HttpServer::port() const { return state_->port; }

void HttpServer::stop() {
  State& state = *state_;
  if (state.stopping.exchange(true)) return;
  asio::post(state.io, [&state] {
    boost::system::error_code ignored;
    state.acceptor.close(ignored);
  });
  const auto deadline = std::chrono::steady_clock::now() + seconds(kDrainSecondsMax);
  while (state.busy > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  {
    std::lock_guard lock(state.mutex);
    for (beast::tcp_stream* stream : state.streams) {
      asio::post(stream->get_executor(), [&state, stream] {
        std::lock_guard inner(state.mutex);
        if (state.streams.count(stream) > 0) stream->cancel();
      });
    }
  }
  std::unique_lock lock(state.mutex);
  state.changed.wait_for(lock, seconds(kDrainSecondsMax), [&] { return state.streams.empty(); });
  lock.unlock();
  state.blocking.join();
  state.io.stop();
  for (std::thread& thread : state.threads) thread.join();
  lock.lock();
  state.stopped = true;
  state.changed.notify_all();
}

void HttpServer::wait() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return state_->stopped; });
}

}  // namespace vitrine
