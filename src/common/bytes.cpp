#include "common/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace stest {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each character; 64 if it is not in the alphabet.
constexpr auto kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(64);
  for (std::size_t value = 0; value < kAlphabet.size(); ++value) {
    values[static_cast<unsigned char>(kAlphabet[value])] = static_cast<std::uint8_t>(value);
  }
  return values;
}();

unsigned byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

/// A UTF-8 sequence: its length, and the range of its second byte, which excludes overlong forms, surrogates
/// and numbers above U+10FFFF. Length 0: not a lead byte.
struct Sequence {
  std::size_t length;
  unsigned low = 0x80;
  unsigned high = 0xBF;
};

Sequence sequence_of(unsigned lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xC2 && lead <= 0xDF) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

bool fits(std::string_view bytes, std::size_t at, const Sequence& sequence) {
  if (sequence.length == 0 || bytes.size() - at < sequence.length) return false;
  for (std::size_t i = 1; i < sequence.length; ++i) {
    const unsigned byte = byte_at(bytes, at + i);
    const unsigned low = i == 1 ? sequence.low : 0x80;
    const unsigned high = i == 1 ? sequence.high : 0xBF;
    if (byte < low || byte > high) return false;
  }
  return true;
}

tl::unexpected<Error> bad_base64() { return fail(ErrorCode::bad_request, "invalid base64"); }

}  // namespace

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Sequence sequence = sequence_of(byte_at(bytes, at));
    if (!fits(bytes, at, sequence)) return false;
    at += sequence.length;
  }
  return true;
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? byte_at(bytes, at + i) : 0);
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

Result<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return bad_base64();
  const std::size_t padding = text.size() - std::min(text.find_last_not_of('=') + 1, text.size());
  if (padding > 2) return bad_base64();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  std::size_t bit_count = 0;
  for (const char letter : text.substr(0, text.size() - padding)) {
    const std::uint32_t value = kValues[static_cast<unsigned char>(letter)];
    if (value > 63) return bad_base64();
    bits = bits << 6 | value;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes += static_cast<char>(bits >> bit_count & 0xFF);
  }
  const bool canonical = (bits & ((1u << bit_count) - 1)) == 0;
  if (!canonical) return bad_base64();
  return bytes;
}

}  // namespace stest
