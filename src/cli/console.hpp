#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "stest/messages.hpp"

namespace stest {

/// Whether two descriptors are one file: only that keeps the order of what is written through both.
bool are_same_file(int one, int other);

/// Everything that stest writes: the bytes of the run, untouched, and stest's own lines on stderr,
/// which begin with "stest: ". Keeps the two from running into each other on a terminal. Borrows its
/// descriptors. May be used by several threads.
class Console {
 public:
  struct Target {
    int out = 1;
    int err = 2;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool colour = false;
  };
  enum class Tone { note, warning, error };

  /// stdout and stderr of this process; colour on a terminal, unless NO_COLOR is set.
  static Target standard();

  explicit Console(Target target) : target_(target) {}

  /// Writes bytes of a run. False when they cannot be written: nobody reads them any more.
  bool write(Stream stream, std::string_view bytes);

  /// A line of stest's own, without "stest: " and the newline.
  void say(std::string_view line, Tone tone = Tone::note);
  /// "stest: MESSAGE", and the hint, if there is one, on a line of its own.
  void say(const Error& error);

  /// On a terminal: a line that goes away with whatever is written next. Elsewhere nothing.
  void show_briefly(std::string_view line);
  void clear_brief();

  bool err_is_terminal() const { return target_.err_is_terminal; }

 private:
  void clear_brief_locked();
  std::string format(std::string_view line, Tone tone) const;

  Target target_;
  std::mutex mutex_;
  bool brief_shown_ = false;
  bool at_line_start_ = true;
};

}  // namespace stest
