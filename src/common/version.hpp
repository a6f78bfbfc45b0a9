#pragma once

#include <string_view>

namespace stest {

/// stest's version, for example "0.1.0"; the one that CMake's `project()` states.
std::string_view stest_version();

}  // namespace stest
