#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// Whether the user wants colour, by pytest's rules: `--color` (the last one counts, also in PYTEST_ADDOPTS),
/// else PY_COLORS, else NO_COLOR, else FORCE_COLOR. Nothing if none of them says so.
std::optional<bool> colour_wish(const std::vector<std::string>& pytest_args, const Environment& env);

/// The name of the variable that shows that a coding agent runs this process; empty if there is none.
std::string_view agent_variable(const Environment& env);

/// How stest shows its output.
struct Presentation {
  bool plain = false;     ///< Only text: `AnsiFilter` filters the run's output.
  bool colour = false;    ///< In stest's lines.
  bool animated = false;  ///< Lines on stderr may be overwritten.
};

/// What a presentation depends on, besides the environment.
struct Circumstances {
  bool plain_wanted = false;  ///< `--plain`
  std::vector<std::string> pytest_args;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

/// Plain if `--plain` is given, or if a coding agent runs stest, stdout is not a terminal, and colour is not
/// wanted.
Presentation presentation(const Circumstances& known, const Environment& env);

}  // namespace stest
