#pragma once

#include "cli/options.hpp"
#include "cli/terminal/console.hpp"

namespace stest {

/// Does what `options` say. Returns what `stest` exits with.
int execute(const Options& options, Console& console);

}  // namespace stest
