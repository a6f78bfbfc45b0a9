#include "cli/terminal/console.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/os/fd.hpp"

namespace stest {
namespace {

constexpr std::string_view clear_line = "\r\x1b[K";
constexpr std::string_view plain = "\x1b[0m";

std::string_view colour_of(Console::Tone tone) {
  switch (tone) {
    case Console::Tone::note:
      return "\x1b[36m";
    case Console::Tone::warning:
      return "\x1b[33m";
    case Console::Tone::error:
      break;
  }
  return "\x1b[31m";
}

std::size_t columns_of(int terminal) {
  winsize size{};
  return ::ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Cuts the line so that it fits into one row after "stest: ", because only one row can be erased.
std::string fitted(std::string_view line, std::size_t columns) {
  constexpr std::size_t taken = 9;  // "stest: ", "…" and the last column, at which terminals differ.
  auto text = plain_text(line);
  std::replace_if(
      text.begin(), text.end(), [](char byte) { return byte < ' ' && byte >= 0; }, ' ');
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins_character = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
    if (begins_character && ++width + taken > columns) return text.substr(0, i) + "…";
  }
  return text;
}

bool has_reader(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  return ::poll(&entry, 1, 0) < 0 || (entry.revents & (POLLERR | POLLHUP)) == 0;
}

std::string hint_text(const Error& error) {
  return error.hint.empty() ? "" : "hint: " + plain_text(error.hint) + "\n";
}

/// Undoes what a terminal does to the ends of lines.
std::string with_plain_line_ends(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char byte : bytes) {
    if (byte == '\n' && !text.empty() && text.back() == '\r') text.pop_back();
    text += byte;
  }
  return text;
}

}  // namespace

bool are_same_file(int one, int other) {
  struct stat a {
  }, b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Console::Target Console::standard() { return {1, 2, ::isatty(1) == 1, ::isatty(2) == 1}; }

Console::Console(Target target, Presentation presentation)
    : target_(target),
      share_lines_((target.out_is_terminal && target.err_is_terminal) ||
                   are_same_file(target.out, target.err)),
      presentation_(presentation) {}

Console::~Console() { end_output(); }

bool Console::write(Stream stream, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (!presentation_.plain) return write_locked(stream, bytes);
  return write_locked(stream, (stream == Stream::out ? out_filter_ : err_filter_).feed(bytes));
}

void Console::end_output() {
  const std::lock_guard lock(mutex_);
  write_locked(Stream::out, out_filter_.finish());
  write_locked(Stream::err, err_filter_.finish());
}

bool Console::write_locked(Stream stream, std::string_view bytes) {
  if (bytes.empty()) return true;
  clear_brief_locked();
  const bool to_out = stream == Stream::out;
  if (!to_out || share_lines_) at_line_start_ = bytes.back() == '\n';
  return report_locked(put_locked(stream, bytes), to_out ? target_.out : target_.err);
}

bool Console::write_terminal(std::string_view bytes) {
  if (bytes.empty()) return true;
  const std::lock_guard lock(mutex_);
  clear_brief_locked();
  if (target_.err_is_terminal) at_line_start_ = bytes.back() == '\n';
  const int fd = target_.out_is_terminal ? target_.out : target_.err;
  return report_locked(write_all(fd, is_raw_ ? bytes : std::string_view(with_plain_line_ends(bytes))), fd);
}

Status Console::put_locked(Stream stream, std::string_view bytes) {
  const bool to_out = stream == Stream::out;
  const int fd = to_out ? target_.out : target_.err;
  const bool is_terminal = to_out ? target_.out_is_terminal : target_.err_is_terminal;
  if (!is_raw_ || !is_terminal) return write_all(fd, bytes);
  std::string text;
  for (const char byte : bytes) text.append(byte == '\n' ? "\r" : "").append(1, byte);
  return write_all(fd, text);
}

// A full disk is reported; a reader that has left (`stest | head`) is not.
bool Console::report_locked(const Status& written, int fd) {
  if (!written && has_reader(fd)) {
    is_incomplete_ = true;
    say_locked(format("the output is incomplete: " + written.error().message, Tone::error) +
               hint_text(written.error()));
  }
  return written.has_value();
}

void Console::set_raw(bool on) {
  const std::lock_guard lock(mutex_);
  is_raw_ = on;
}

void Console::say(std::string_view line, Tone tone) {
  const std::lock_guard lock(mutex_);
  say_locked(format(line, tone));
}

void Console::say(const Error& error) {
  const std::lock_guard lock(mutex_);
  say_locked(format(error.message, Tone::error) + hint_text(error));
}

/// Begins a line first if the run has left one unfinished, such as ".....".
void Console::say_locked(const std::string& text) {
  clear_brief_locked();
  const bool breaks_line = !std::exchange(at_line_start_, true);
  (void)put_locked(Stream::err, (breaks_line ? "\n" : "") + text);
}

void Console::show_briefly(std::string_view line) {
  if (!presentation_.animated) return;
  const std::lock_guard lock(mutex_);
  if (!at_line_start_ && !brief_shown_) return;  // It would erase an unfinished line of the run.
  auto text = format(fitted(line, columns_of(target_.err)), Tone::note);
  text.pop_back();
  (void)write_all(target_.err, std::string(clear_line) + text);
  brief_shown_ = true;
}

void Console::clear_brief() {
  const std::lock_guard lock(mutex_);
  clear_brief_locked();
}

void Console::clear_brief_locked() {
  if (brief_shown_) (void)write_all(target_.err, clear_line);
  brief_shown_ = false;
}

std::string Console::format(std::string_view line, Tone tone) const {
  std::string text;
  if (presentation_.colour) text += colour_of(tone);
  text += "stest:";
  if (presentation_.colour) text += plain;
  return text.append(" ").append(plain_text(line)).append("\n");
}

}  // namespace stest
