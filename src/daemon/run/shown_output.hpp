#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stest {

/// The shown output of one stream. If the run starts over, the next process writes most of it again.
class ShownOutput {
 public:
  /// Only this many bytes are remembered and recognised.
  static constexpr std::size_t limit = 16u << 20;

  /// The part of `bytes` to show: without the beginning that the process before has written as well.
  std::string_view news(std::string_view bytes);

  /// Another process writes the output from the beginning.
  void start_over();

  /// The run cannot start over any more.
  void settle();

 private:
  bool may_start_over_ = true;
  std::string said_;      ///< Written by the present process.
  std::string expected_;  ///< Written by the process before, and not yet again.
};

}  // namespace stest
