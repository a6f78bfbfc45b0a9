#pragma once

#include <string_view>

namespace stest {

/// stest's version, such as "0.1.0", from CMake's `project()`.
std::string_view stest_version();

}  // namespace stest
