#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace stest {

/// Takes an HTTP/1.1 response apart as it arrives (RFC 9112): a body of known length, one in chunks, or one
/// that lasts as long as the connection.
///
/// cpp-httplib could do this as well. But Debian's is a shared library that brings OpenSSL and brotli into
/// the process: 3.4 of the 5.4 ms that `stest --version` took were the dynamic linker's.
class HttpResponse {
 public:
  /// A piece of the body, at once; false: no more of it is wanted.
  using BodySink = std::function<bool(std::string_view piece)>;

  explicit HttpResponse(BodySink sink) : sink_(std::move(sink)) {}

  /// Takes the next bytes. False: nothing more is to be read, because it is complete, because the sink has
  /// had enough, or because this is not HTTP.
  bool take(std::string_view bytes);

  /// 0 until it has arrived.
  int status() const { return status_; }

  /// Whether all has arrived, if the connection ends now.
  bool is_complete() const { return state_ == State::complete || state_ == State::open_body; }

 private:
  enum class State {
    status,
    header,
    body,
    open_body,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
    complete,
    broken
  };

  bool step();
  std::optional<std::string_view> take_line();
  State after_status(std::string_view line);
  State after_header(std::string_view line);
  State after_chunk_size(std::string_view line);
  bool pass_body(std::uint64_t limit);

  BodySink sink_;
  State state_ = State::status;
  std::string buffer_;
  std::size_t position_ = 0;  ///< What of the buffer is dealt with.
  int status_ = 0;
  bool is_chunked_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t remaining_ = 0;  ///< Of the body, or of the chunk.
};

}  // namespace stest
