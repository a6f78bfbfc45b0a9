#pragma once

#include <string_view>

namespace stest {

/// What the daemon writes on the terminal that a client has made for its run, between a process that gave
/// the run up and the next, which says it all again. A command (APC) that every terminal ignores.
constexpr std::string_view start_over_mark = "\x1b_stest: starts over\x1b\\";

}  // namespace stest
