#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stest {

/// Keeps the beginning and the end of a text of any length. Counts and drops the bytes between them.
class BoundedText {
 public:
  /// The size of the beginning, and of the end.
  static constexpr std::size_t limit = 1u << 20;

  void append(std::string_view bytes);

  /// The number of dropped bytes.
  std::uint64_t dropped() const { return size_ - beginning().size() - end().size(); }

  /// The whole text; or the beginning, a line that says how much is missing, and the end. No UTF-8 character
  /// is cut.
  std::string text() const;

 private:
  bool fits() const { return size_ <= 2 * limit; }
  std::string_view beginning() const;
  std::string_view end() const;

  std::string head_;
  std::string tail_;  ///< Up to twice the limit, so that it is rarely moved.
  std::uint64_t size_ = 0;
};

}  // namespace stest
