#include "cli/terminal/ansi_filter.hpp"

#include <algorithm>
#include <utility>

namespace stest {
namespace {

constexpr unsigned char bell = 0x07, backspace = 0x08, tab = 0x09, newline = 0x0a, vertical_tab = 0x0b,
                        form_feed = 0x0c, carriage_return = 0x0d, cancellation = 0x18, substitute = 0x1a,
                        escape = 0x1b, del = 0x7f;
// C1 controls. After ESC they are the same minus 0x40.
constexpr unsigned char nel = 0x85, dcs = 0x90, sos = 0x98, csi = 0x9b, st = 0x9c, osc = 0x9d, pm = 0x9e,
                        apc = 0x9f;
constexpr std::size_t parameters_kept = 8;

bool is_within(unsigned char byte, unsigned char first, unsigned char last) {
  return byte >= first && byte <= last;
}
bool is_c0(unsigned char code) { return code < 0x20; }
bool is_c1(unsigned char byte) { return is_within(byte, 0x80, 0x9f); }
bool is_printable(char byte) { return is_within(static_cast<unsigned char>(byte), 0x20, 0x7e); }
unsigned char first_of(std::string_view text) { return static_cast<unsigned char>(text.front()); }

/// How many bytes follow this one in a UTF-8 character; 0 if it does not begin a longer one.
std::size_t bytes_after(unsigned char lead) {
  if (is_within(lead, 0xc2, 0xdf)) return 1;
  if (is_within(lead, 0xe0, 0xef)) return 2;
  return is_within(lead, 0xf0, 0xf4) ? 3 : 0;
}

/// Whether `byte` may follow in a character that begins with `begun`. Excludes overlong forms, surrogates and
/// numbers above U+10FFFF.
bool continues(std::string_view begun, unsigned char byte) {
  if (!is_within(byte, 0x80, 0xbf)) return false;
  if (begun.size() > 1) return true;
  switch (first_of(begun)) {
    case 0xe0:
      return byte >= 0xa0;
    case 0xed:
      return byte <= 0x9f;
    case 0xf0:
      return byte >= 0x90;
    case 0xf4:
      return byte <= 0x8f;
    default:
      return true;
  }
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t") == std::string_view::npos; }

}  // namespace

std::string AnsiFilter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (const auto passed = pass_text(bytes); passed > 0) {
      bytes.remove_prefix(passed);
    } else {
      take_byte(first_of(bytes));
      bytes.remove_prefix(1);
    }
  }
  return std::exchange(out_, {});
}

std::string AnsiFilter::finish() {
  end_broken_character();
  give_string_back();
  settle_return();
  release();
  auto rest = std::exchange(out_, {});
  *this = {};
  return rest;
}

/// A fast path for printable ASCII, which most output is. Returns how many bytes it took.
std::size_t AnsiFilter::pass_text(std::string_view bytes) {
  if (state_ != State::ground || missing_ > 0) return 0;
  const auto end = std::find_if_not(bytes.begin(), bytes.end(), is_printable);
  const auto text = bytes.substr(0, static_cast<std::size_t>(end - bytes.begin()));
  if (!text.empty()) print(text);
  return text.size();
}

// ---- UTF-8

void AnsiFilter::take_byte(unsigned char byte) {
  if (missing_ == 0) return take_lead(byte);
  if (!continues(character_, byte)) {
    end_broken_character();
    return take_lead(byte);
  }
  character_ += static_cast<char>(byte);
  if (--missing_ == 0) take_character();
}

void AnsiFilter::take_lead(unsigned char byte) {
  missing_ = bytes_after(byte);
  const char text = static_cast<char>(byte);
  if (missing_ > 0) {
    character_ = text;
  } else if (is_c0(byte) || is_c1(byte) || byte == del) {
    take_control(byte);
  } else if (byte < 0x80) {
    take_ascii(byte);
  } else {
    take_text({&text, 1});
  }
}

void AnsiFilter::end_broken_character() {
  missing_ = 0;
  auto begun = std::exchange(character_, {});
  std::erase_if(begun, [](char byte) { return is_c1(static_cast<unsigned char>(byte)); });
  if (!begun.empty()) take_text(begun);
}

void AnsiFilter::take_character() {
  const auto whole = std::exchange(character_, {});
  const auto last = static_cast<unsigned char>(whole.back());
  if (first_of(whole) == 0xc2 && is_c1(last)) return take_control(last);
  take_text(whole);
}

// ---- sequences

/// Text beyond ASCII is part of a control string, and ends any other sequence.
void AnsiFilter::take_text(std::string_view character) {
  if (state_ == State::string) return take_in_string(character);
  state_ = State::ground;
  print(character);
}

void AnsiFilter::take_ascii(unsigned char code) {
  const char text = static_cast<char>(code);
  switch (state_) {
    case State::ground:
      return print({&text, 1});
    case State::escape:
      return take_escape(code);
    case State::escape_intermediate:
      if (code >= 0x30) state_ = State::ground;
      return;
    case State::csi:
      return take_csi(code);
    case State::string:
      return take_in_string({&text, 1});
  }
}

void AnsiFilter::take_control(unsigned char code) {
  if (code == cancellation || code == substitute) {
    string_.clear();
    string_escape_ = false;
    state_ = State::ground;
  } else if (is_c1(code)) {
    take_c1(code);
  } else if (state_ == State::string) {
    const char text = static_cast<char>(code);
    take_in_string({&text, 1});
  } else if (code == escape) {
    state_ = State::escape;
  } else {
    execute(code);  // Also within a sequence, which continues after it.
  }
}

void AnsiFilter::take_escape(unsigned char code) {
  state_ = State::ground;
  if (is_within(code, 0x20, 0x2f)) {
    state_ = State::escape_intermediate;
  } else if (is_within(code, 0x40, 0x5f)) {
    take_c1(static_cast<unsigned char>(code + 0x40));
  }
}

void AnsiFilter::take_c1(unsigned char code) {
  if (code == st) string_.clear();
  give_string_back();
  state_ = State::ground;
  switch (code) {
    case nel:
      return execute(newline);
    case csi:
      parameters_.clear();
      state_ = State::csi;
      return;
    case dcs:
    case sos:
    case osc:
    case pm:
    case apc:
      return begin_string(code == osc);
    default:
      return;
  }
}

/// Ignores parameters and intermediates in the wrong order up to the final byte, as terminals do.
void AnsiFilter::take_csi(unsigned char code) {
  if (code < 0x40) {
    if (parameters_.size() < parameters_kept) parameters_ += static_cast<char>(code);
    return;
  }
  state_ = State::ground;
  if (code == 'G' && (parameters_.empty() || parameters_ == "0" || parameters_ == "1")) {
    execute(carriage_return);
  }
}

void AnsiFilter::begin_string(bool is_osc) {
  state_ = State::string;
  is_osc_ = is_osc;
}

void AnsiFilter::take_in_string(std::string_view character) {
  const auto code = first_of(character);
  if (std::exchange(string_escape_, false)) {
    if (code == '\\') return take_c1(st);
    give_string_back();
    state_ = State::escape;
    const bool is_ascii = is_within(code, 0x20, 0x7e);
    return is_ascii ? take_ascii(code) : code < 0x80 ? take_control(code) : take_text(character);
  }
  if (code == escape) {
    string_escape_ = true;
  } else if (code == bell && is_osc_) {
    take_c1(st);
  } else {
    string_.append(character);
    if (string_.size() > string_limit) give_string_back();
  }
}

/// Outputs the control string as text. It contains no ESC and no C1 control.
void AnsiFilter::give_string_back() {
  string_escape_ = false;
  if (state_ == State::string) state_ = State::ground;
  for (const char byte : std::exchange(string_, {})) {
    const auto code = static_cast<unsigned char>(byte);
    if (is_c0(code) || code == del) {
      execute(code);
    } else {
      print({&byte, 1});
    }
  }
}

void AnsiFilter::execute(unsigned char code) {
  switch (code) {
    case tab:
      return print("\t");
    case newline:
      return end_line(std::exchange(returned_, false) ? "\r\n" : "\n");
    case vertical_tab:
    case form_feed:
      settle_return();
      return end_line("\n");
    case carriage_return:
      returned_ = true;
      return;
    case backspace:
      return take_back();
    default:
      return;
  }
}

// ---- lines

void AnsiFilter::print(std::string_view text) {
  settle_return();
  if (!holding_) {
    line_has_text_ = true;
    out_.append(text);
    return;
  }
  if (std::exchange(restart_, false)) held_.clear();
  held_.append(text);
  if (held_.size() > line_limit) release();
}

void AnsiFilter::end_line(std::string_view ending) {
  release();
  out_.append(ending);
  line_has_text_ = false;
}

/// A carriage return takes effect only when it is clear that no newline follows.
void AnsiFilter::settle_return() {
  if (std::exchange(returned_, false)) begin_line_anew();
}

void AnsiFilter::begin_line_anew() {
  holding_ = true;
  restart_ = true;
  apart_ = line_has_text_;
}

void AnsiFilter::take_back() {
  settle_return();
  holding_ = true;
  if (restart_) return;  // At the start of the line.
  while (!held_.empty() && is_within(static_cast<unsigned char>(held_.back()), 0x80, 0xbf)) held_.pop_back();
  if (!held_.empty()) held_.pop_back();
}

void AnsiFilter::release() {
  const auto text = std::exchange(held_, {});
  const bool is_apart = std::exchange(apart_, false);
  holding_ = restart_ = false;
  if (is_blank(text)) return;
  if (is_apart) out_ += '\n';
  out_.append(text);
  line_has_text_ = true;
}

std::string plain_text(std::string_view bytes) {
  AnsiFilter filter;
  auto text = filter.feed(bytes);
  return text.append(filter.finish());
}

}  // namespace stest
