#pragma once

#include <string_view>

namespace stest {

/// stest's version, such as "2.0.0", from CMake's `project()`.
std::string_view stest_version();

/// How it was built: "from source" or "from a wheel".
std::string_view stest_origin();

/// The version of Python that the worker was built for, such as "3.11".
std::string_view python_version();

}  // namespace stest
