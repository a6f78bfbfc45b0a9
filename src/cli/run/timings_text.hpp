#pragma once

#include <string>

#include "stest/timings.hpp"

namespace stest {

/// A table of the stages in milliseconds, with their sum in the last line. The ends of the stages are
/// rounded, not their durations, so the lines add up exactly.
std::string timings_text(const Timings& timings);

}  // namespace stest
