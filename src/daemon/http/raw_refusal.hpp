#pragma once

#include <string>

#include "stest/error.hpp"

namespace stest {

/// An HTTP answer, whole, for a connection whose request httplib never sees.
std::string raw_refusal(int status, const Error& error);

}  // namespace stest
