#pragma once

#include <string>

#include "stest/messages.hpp"

namespace stest {

/// The lines about a run whose process ended before pytest did.
std::string unfinished_text(const event::Unfinished& unfinished);

}  // namespace stest
