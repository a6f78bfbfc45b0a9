#include "cli/command_line/man_page.hpp"

#include "cli/command_line/command_app.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

/// Text as roff shows it: these letters have a meaning of their own there, or look different.
std::string roff(std::string_view text) {
  std::string result;
  bool at_start = true;
  for (const char letter : text) {
    if (at_start && (letter == '.' || letter == '\'')) result += "\\&";
    at_start = letter == '\n';
    switch (letter) {
      case '\\':
        result += "\\e";
        break;
      case '-':
        result += "\\-";
        break;
      case '`':
        result += "\\(ga";
        break;
      case '\'':
        result += "\\(aq";
        break;
      case '~':
        result += "\\(ti";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

/// A paragraph with a title that hangs out to the left.
std::string roff_item(std::string_view name, std::string_view text) {
  std::string bold;
  for (const char letter : name) bold += letter == '\n' ? ' ' : letter;
  return ".TP\n\\fB" + roff(bold) + "\\fR\n" + (text.empty() ? "\\&" : roff(text)) + "\n";
}

/// Lines that keep their form.
std::string roff_example(std::string_view text) { return ".PP\n.nf\n" + roff(text) + "\n.fi\n"; }

std::string roff_command(const CommandInfo& command) {
  auto text = ".SS \"stest " + roff(command.name) + "\"\n" + roff(command.description) + "\n";
  for (const auto& option : options_of(command)) {
    std::string names;
    for (const auto& name : option.names) names += (names.empty() ? "" : ", ") + name;
    text += roff_item(option.value.empty() ? names : names + " " + option.value, option.description);
  }
  return command.footer.empty() ? text : text + roff_example(command.footer);
}

std::string roff_section(const HelpSection& section) {
  auto text = ".SH \"" + std::string(section.manual_title) + "\"\n";
  for (const auto& row : section.rows) text += roff_item(row.name, row.text);
  return section.note.empty() ? text : text + ".PP\n" + roff(section.note) + "\n";
}

}  // namespace

std::string man_page() {
  auto text = ".TH STEST 1 \"\" \"stest " + std::string(stest_version()) + "\" \"User Commands\"\n";
  text += ".SH NAME\nstest \\- run pytest in a warm process\n";
  for (const auto& section : help_sections()) {
    text += roff_section(section);
    if (section.manual_title == "SYNOPSIS") text += ".SH DESCRIPTION\n" + roff(what_stest_does()) + "\n";
    if (section.manual_title != "COMMANDS") continue;
    for (const auto& command : command_table()) text += roff_command(command);
  }
  return text;
}

}  // namespace stest
