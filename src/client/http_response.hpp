#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace stest {

/// Parses an HTTP/1.1 response as it arrives (RFC 9112). The body has a known length, is chunked, or ends
/// with the connection.
///
/// cpp-httplib could do this as well. But the client needs little of it, and is started often.
class HttpResponse {
 public:
  /// Takes a piece of the body. Returns false if it wants no more.
  using BodySink = std::function<bool(std::string_view piece)>;

  explicit HttpResponse(BodySink sink) : sink_(std::move(sink)) {}

  /// Takes the next bytes. False if the caller need not read more: the response is complete, the sink wants
  /// no more, or this is not HTTP.
  bool take(std::string_view bytes);

  /// 0 until it has arrived.
  int status() const { return status_; }

  /// Whether the response is complete if the connection ends now.
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
  std::size_t position_ = 0;  ///< How much of the buffer is parsed.
  int status_ = 0;
  bool is_chunked_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t remaining_ = 0;  ///< Of the body, or of the chunk.
};

}  // namespace stest
