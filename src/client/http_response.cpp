#include "client/http_response.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace stest {

namespace {

constexpr std::size_t max_line = std::size_t{64} * 1024;

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_same(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace

bool HttpResponse::take(std::string_view bytes) {
  buffer_.append(bytes);
  while (step()) {
  }
  buffer_.erase(0, position_);
  position_ = 0;
  return state_ != State::complete && state_ != State::broken;
}

/// Parses the next part; false if it has not arrived yet, or there is nothing more.
bool HttpResponse::step() {
  switch (state_) {
    case State::body:
    case State::chunk: {
      const auto before = remaining_;
      if (!pass_body(remaining_)) return false;
      if (remaining_ == 0) state_ = state_ == State::body ? State::complete : State::chunk_end;
      return remaining_ != before;
    }
    case State::open_body:
      pass_body(buffer_.size());
      return false;
    case State::complete:
    case State::broken:
      return false;
    default:
      break;
  }
  const auto line = take_line();
  if (!line) return false;
  if (state_ == State::status) {
    state_ = after_status(*line);
  } else if (state_ == State::header) {
    state_ = after_header(*line);
  } else if (state_ == State::chunk_size) {
    state_ = after_chunk_size(*line);
  } else if (state_ == State::chunk_end) {
    state_ = line->empty() ? State::chunk_size : State::broken;
  } else if (line->empty()) {
    state_ = State::complete;  // Trailers before this line are ignored.
  }
  return true;
}

std::optional<std::string_view> HttpResponse::take_line() {
  const auto rest = std::string_view(buffer_).substr(position_);
  const auto end = rest.find("\r\n");
  if (end == rest.npos) {
    if (rest.size() > max_line) state_ = State::broken;
    return std::nullopt;
  }
  position_ += end + 2;
  return rest.substr(0, end);
}

HttpResponse::State HttpResponse::after_status(std::string_view line) {
  const auto code = number<int>(line.substr(std::min<std::size_t>(9, line.size()), 3));
  if (!line.starts_with("HTTP/1.") || !code || *code < 100) return State::broken;
  status_ = *code;
  return State::header;
}

HttpResponse::State HttpResponse::after_header(std::string_view line) {
  if (!line.empty()) {
    const auto colon = line.find(':');
    if (colon == line.npos) return State::broken;
    const auto name = line.substr(0, colon);
    const auto value = trimmed(line.substr(colon + 1));
    if (is_same(name, "transfer-encoding")) is_chunked_ = is_same(value, "chunked");
    if (is_same(name, "content-length")) {
      length_ = number<std::uint64_t>(value);
      if (!length_) return State::broken;
    }
    return State::header;
  }
  if (is_chunked_) return State::chunk_size;
  if (!length_) return State::open_body;
  remaining_ = *length_;
  return State::body;
}

HttpResponse::State HttpResponse::after_chunk_size(std::string_view line) {
  const auto size = number<std::uint64_t>(trimmed(line.substr(0, line.find(';'))), 16);
  if (!size) return State::broken;
  remaining_ = *size;
  return *size == 0 ? State::trailer : State::chunk;
}

/// Passes on what has arrived, up to `limit` bytes; false if the sink wants no more.
bool HttpResponse::pass_body(std::uint64_t limit) {
  const auto piece = std::string_view(buffer_).substr(position_).substr(0, limit);
  position_ += piece.size();
  remaining_ -= std::min<std::uint64_t>(remaining_, piece.size());
  if (piece.empty() || sink_(piece)) return true;
  state_ = State::broken;
  return false;
}

}  // namespace stest
