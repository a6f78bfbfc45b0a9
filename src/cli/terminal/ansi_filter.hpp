#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace stest {

/// Makes plain text of what was written for a terminal: a streaming parser of control sequences after
/// ECMA-48 and the DEC VT500 state machine, for UTF-8. Takes any bytes, cut anywhere: the pieces' results
/// joined are the same however the input is cut. Bytes of text pass as they are, UTF-8 or not.
///
/// Of the controls only tab, newline and carriage return before newline are left:
/// - Escape sequences, control sequences and control strings (OSC, DCS, SOS, PM, APC) vanish. A string
///   that is never ended (by ST, an OSC also by BEL) comes out as text: at the next escape sequence, after
///   `string_limit` bytes, or at the end. CAN and SUB cancel any of them.
/// - A C1 control may be two bytes (ESC and a letter), U+0080 to U+009F in UTF-8, or one byte 80 to 9F
///   outside UTF-8 characters. In a character that is cut short, these bytes just vanish.
/// - A carriage return, or a control sequence that goes to column 1, begins the line anew: a line that is
///   written over and over comes out as its first state, which passes at once, and, on a line of its own,
///   its last. Its last state is known when the line ends; one of more than `line_limit` bytes is text.
/// - A backspace takes back the character before it, unless that has passed.
/// - Vertical tab, form feed and NEL end the line. All else vanishes.
class AnsiFilter {
 public:
  static constexpr std::size_t string_limit = 1u << 20;
  static constexpr std::size_t line_limit = 1u << 16;

  /// The text of `bytes`, as far as it is certain.
  std::string feed(std::string_view bytes);
  /// What was held back, at the end of the input; the filter is as new after that.
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
  std::size_t missing_ = 0;     ///< How many it lacks.
  std::string parameters_;      ///< Of a control sequence, the first few.
  std::string string_;          ///< The control string so far.
  bool is_osc_ = false;         ///< BEL ends it.
  bool string_escape_ = false;  ///< ESC came in it: ST, if "\" is next.

  bool returned_ = false;       ///< A carriage return came, and nothing after it.
  bool line_has_text_ = false;  ///< Of this line something has passed.
  bool holding_ = false;        ///< The rest of this line is held back, as it may be written over.
  bool restart_ = false;        ///< The next character begins the line anew.
  bool apart_ = false;          ///< What is held belongs on a line of its own.
  std::string held_;
};

/// The text of what is whole.
std::string plain_text(std::string_view bytes);

}  // namespace stest
