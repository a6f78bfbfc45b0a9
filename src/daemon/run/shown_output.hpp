#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stest {

/// What was shown of one stream of a run that may yet start over: the next process says most of it again.
class ShownOutput {
 public:
  /// So much is remembered; what came later is not recognised.
  static constexpr std::size_t limit = 16u << 20;

  /// What to show of `bytes`: all but what the process before has said too, in the same order from the first
  /// byte on.
  std::string_view news(std::string_view bytes);

  /// Another process says it all from the beginning.
  void start_over();

  /// The run does not start over any more.
  void settle();

 private:
  bool may_start_over_ = true;
  std::string said_;      ///< By the process that goes on.
  std::string expected_;  ///< Said by the one before, and not yet again.
};

}  // namespace stest
