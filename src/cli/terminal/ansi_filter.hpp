#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stest {

/// Converts terminal output to plain text. It is a streaming parser of control sequences in UTF-8 text, after
/// ECMA-48 and the DEC VT500 state machine. The input may be any bytes, in pieces of any size; the joined
/// result does not depend on the pieces. Bytes of text stay unchanged, UTF-8 or not.
///
/// Of the control characters, only tab, newline and carriage return before newline remain:
/// - Escape sequences, control sequences and control strings (OSC, DCS, SOS, PM, APC) are removed. A string
///   without an end (ST; for an OSC also BEL) becomes text: at the next escape sequence, after `string_limit`
///   bytes, or at the end of the input. CAN and SUB cancel any of them.
/// - A C1 control may be two bytes (ESC and a letter), U+0080 to U+009F in UTF-8, or one byte 80 to 9F
///   outside UTF-8 characters. In an incomplete character, these bytes are removed.
/// - A carriage return, or a control sequence that goes to column 1, begins the line again. A line that is
///   overwritten again and again appears in its first state, at once, and in its last state, as a separate
///   line when the line ends. If a state is longer than `line_limit` bytes, it is normal text.
/// - A backspace removes the character before it, unless that was already output.
/// - Vertical tab, form feed and NEL end the line. All others are removed.
class AnsiFilter {
 public:
  static constexpr std::size_t string_limit = 1u << 20;
  static constexpr std::size_t line_limit = 1u << 16;

  /// The text of `bytes`, as far as later bytes cannot change it.
  std::string feed(std::string_view bytes);
  /// Ends the input: returns the text that was held back, and resets the filter.
  std::string finish();

 private:
  enum class State { ground, escape, escape_intermediate, csi, string };

  std::size_t pass_text(std::string_view bytes);
  void take_byte(unsigned char byte);
  void take_lead(unsigned char byte);
  void end_broken_character();
  void take_character();
  void take_text(std::string_view character);
  void take_control(unsigned char code);
  void take_ascii(unsigned char code);
  void take_c1(unsigned char code);
  void take_escape(unsigned char code);
  void take_csi(unsigned char code);
  void take_in_string(std::string_view character);
  void begin_string(bool is_osc);
  void give_string_back();
  void execute(unsigned char code);

  void print(std::string_view text);
  void end_line(std::string_view ending);
  void begin_line_anew();
  void settle_return();
  void take_back();
  void release();

  std::string out_;
  State state_ = State::ground;
  std::string character_;       ///< The bytes of an unfinished UTF-8 character.
  std::size_t missing_ = 0;     ///< How many more bytes it needs.
  std::string parameters_;      ///< The first ones of a control sequence.
  std::string string_;          ///< The control string so far.
  bool is_osc_ = false;         ///< BEL ends it.
  bool string_escape_ = false;  ///< Its last byte was ESC; with "\" next it is ST.

  bool returned_ = false;       ///< The last byte was a carriage return.
  bool line_has_text_ = false;  ///< Text of this line was output.
  bool holding_ = false;        ///< The rest of this line is held back, because it may be overwritten.
  bool restart_ = false;        ///< The next character begins the line again.
  bool apart_ = false;          ///< The held text is output as a separate line.
  std::string held_;
};

/// The text of a complete input.
std::string plain_text(std::string_view bytes);

}  // namespace stest
