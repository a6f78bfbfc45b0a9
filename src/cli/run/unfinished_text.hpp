#pragma once

#include <string>

#include "stest/messages.hpp"

namespace stest {

/// What a person is to know of a run whose process ended before pytest did; empty where there is nothing.
std::string unfinished_text(const event::Unfinished& unfinished);

}  // namespace stest
