#pragma once

#include <string>

#include "stest/error.hpp"

namespace stest {

/// A complete HTTP answer, for a connection whose request httplib never sees.
std::string raw_refusal(int status, const Error& error);

}  // namespace stest
