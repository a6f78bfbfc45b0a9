#pragma once

#include "cli/console.hpp"
#include "cli/options.hpp"

namespace stest {

/// Does what `options` say. Returns what `stest` exits with.
int execute(const Options& options, Console& console);

}  // namespace stest
