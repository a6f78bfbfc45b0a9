#pragma once

#include <string>

namespace stest {

/// The man page in roff, from the same table as the help.
std::string man_page();

}  // namespace stest
