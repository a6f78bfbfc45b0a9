#include "common/version.hpp"

namespace stest {

std::string_view stest_version() { return STEST_VERSION; }

std::string_view stest_origin() { return STEST_ORIGIN; }

std::string_view python_version() { return STEST_PYTHON_VERSION; }

}  // namespace stest
