#pragma once

#include <string>

#include "stest/timings.hpp"

namespace stest {

/// A table of the stages in milliseconds, a line each, with their sum last. The sum is exact: it is the
/// stages' ends that are rounded.
std::string timings_text(const Timings& timings);

}  // namespace stest
