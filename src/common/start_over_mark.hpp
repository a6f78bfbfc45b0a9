#pragma once

#include <string_view>

namespace stest {

/// The daemon writes this on the tests' terminal when the run starts over, between the output of the two
/// processes. It is a control string (APC), which terminals ignore.
constexpr std::string_view start_over_mark = "\x1b_stest: starts over\x1b\\";

}  // namespace stest
