#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

#include "cli/terminal/ansi_filter.hpp"
#include "cli/terminal/presentation.hpp"
#include "stest/messages.hpp"

namespace stest {

/// Whether two descriptors are the same file. Only then is the order of what is written through both kept.
bool are_same_file(int one, int other);

/// Writes everything that stest shows: the run's bytes, unchanged unless plain text is wanted, and stest's
/// lines on stderr, which begin with "stest: " and never continue a line of the run. Borrows its descriptors.
/// May be used by several threads.
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

  Console(Target target, Presentation presentation);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Writes bytes of a run. False if they cannot be written, for example because the reader has left.
  bool write(Stream stream, std::string_view bytes);
  /// Ends the run's output: writes what the filters of plain text have held back.
  void end_output();

  /// Writes bytes that the run wrote on the tests' terminal, which ends lines with "\r\n". If this terminal
  /// converts line ends as well, the first conversion is undone.
  bool write_terminal(std::string_view bytes);

  /// Whether the terminal does not convert line ends, so that lines must end with "\r\n".
  void set_raw(bool on);

  /// Writes a line of stest. `line` is without "stest: " and the newline.
  void say(std::string_view line, Tone tone = Tone::note);
  /// Writes "stest: MESSAGE", and on the next line the hint, if there is one.
  void say(const Error& error);

  /// On an animated console: shows a line that disappears with the next output. Otherwise does nothing.
  void show_briefly(std::string_view line);
  void clear_brief();

  bool is_animated() const { return presentation_.animated; }
  /// Whether output is lost although somebody would read it, for example because the disk is full.
  bool is_incomplete() const { return is_incomplete_; }

 private:
  bool write_locked(Stream stream, std::string_view bytes);
  void clear_brief_locked();
  /// Converts line ends if the terminal does not.
  Status put_locked(Stream stream, std::string_view bytes);
  bool report_locked(const Status& written, int fd);
  void say_locked(const std::string& text);
  std::string format(std::string_view line, Tone tone) const;

  Target target_;
  bool share_lines_;  ///< stdout and stderr are one terminal, pipe or file.
  Presentation presentation_;
  std::mutex mutex_;
  AnsiFilter out_filter_;
  AnsiFilter err_filter_;
  bool brief_shown_ = false;
  bool at_line_start_ = true;  ///< On stderr.
  bool is_raw_ = false;
  std::atomic<bool> is_incomplete_ = false;
};

}  // namespace stest
