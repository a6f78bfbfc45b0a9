#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "cli/terminal/ansi_filter.hpp"
#include "cli/terminal/presentation.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Whether two descriptors are one file: only that keeps the order of what is written through both.
bool are_same_file(int one, int other);

/// Everything that stest writes: the bytes of the run, untouched unless plain text is wanted, and stest's
/// own lines on stderr, which begin with "stest: ". Keeps the two from running into each other on a terminal.
/// Borrows its descriptors. May be used by several threads.
class Console {
 public:
  struct Target {
    int out = 1;
    int err = 2;
    bool out_is_terminal = false;
    bool err_is_terminal = false;
  };
  enum class Tone { note, warning, error };

  /// stdout and stderr of this process.
  static Target standard();

  Console(Target target, Presentation presentation) : target_(target), presentation_(presentation) {}
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Writes bytes of a run. False when they cannot be written: nobody reads them any more.
  bool write(Stream stream, std::string_view bytes);
  /// The run's output is over: writes what plain text has held back.
  void end_output();

  /// Bytes that the run wrote on a terminal of its own. Such a terminal ends lines with "\r\n"; where this
  /// one does that as well, the former is undone.
  bool write_terminal(std::string_view bytes);

  /// Whether the terminal takes output as it is, so that lines must end with "\r\n".
  void set_raw(bool on);

  /// A line of stest's own, without "stest: " and the newline.
  void say(std::string_view line, Tone tone = Tone::note);
  /// "stest: MESSAGE", and the hint, if there is one, on a line of its own.
  void say(const Error& error);

  /// Where lines may be written over: one that goes away with whatever is written next. Elsewhere nothing.
  void show_briefly(std::string_view line);
  void clear_brief();

  bool is_animated() const { return presentation_.animated; }

 private:
  bool write_locked(Stream stream, std::string_view bytes);
  void clear_brief_locked();
  /// Leaves the ends of lines to the terminal, if that is one and does it.
  Status put_locked(Stream stream, std::string_view bytes);
  bool report_locked(const Status& written, int fd);
  std::string format(std::string_view line, Tone tone) const;

  Target target_;
  Presentation presentation_;
  std::mutex mutex_;
  AnsiFilter out_filter_;
  AnsiFilter err_filter_;
  bool brief_shown_ = false;
  bool at_line_start_ = true;
  bool is_raw_ = false;
};

}  // namespace stest
