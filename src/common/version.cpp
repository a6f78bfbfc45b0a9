#include "common/version.hpp"

namespace stest {

std::string_view stest_version() { return STEST_VERSION; }

}  // namespace stest
