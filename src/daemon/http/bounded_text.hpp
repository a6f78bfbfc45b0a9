#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stest {

/// The beginning and the end of a text of any length; what lies between them is counted and dropped.
class BoundedText {
 public:
  /// Of the beginning, and of the end.
  static constexpr std::size_t limit = 1u << 20;

  void append(std::string_view bytes);

  /// So many bytes are dropped.
  std::uint64_t dropped() const { return size_ - beginning().size() - end().size(); }

  /// All of it; or the beginning, a line that says how much is missing, and the end. Never cut within a
  /// character of UTF-8.
  std::string text() const;

 private:
  bool fits() const { return size_ <= 2 * limit; }
  std::string_view beginning() const;
  std::string_view end() const;

  std::string head_;
  std::string tail_;  ///< Up to twice the limit, so that it is seldom moved.
  std::uint64_t size_ = 0;
};

}  // namespace stest
