#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// What the user said of colour, as pytest understands it: `--color` (the last one counts, also in
/// PYTEST_ADDOPTS), else PY_COLORS, else NO_COLOR, else FORCE_COLOR. True or false, nothing where unsaid.
std::optional<bool> colour_wish(const std::vector<std::string>& pytest_args, const Environment& env);

/// The variable by which a coding agent says that it runs this process; empty where none does.
std::string_view agent_variable(const Environment& env);

/// How to speak to whoever reads.
struct Presentation {
  bool plain = false;     ///< Only text: what the run writes is filtered by `AnsiFilter`.
  bool colour = false;    ///< In stest's own lines.
  bool animated = false;  ///< Lines on stderr may be written over.
};

/// What is known of the two ends of a conversation.
struct Circumstances {
  bool plain_wanted = false;  ///< `--plain`
  std::vector<std::string> pytest_args;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

/// Plain is what is wanted, and what an agent gets whose stdout is no terminal, unless it asked for colour.
Presentation presentation(const Circumstances& known, const Environment& env);

}  // namespace stest
