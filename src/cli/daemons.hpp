#pragma once

#include <string>
#include <vector>

#include "cli/terminal/console.hpp"
#include "client/daemon_list.hpp"
#include "stest/exit_code.hpp"

namespace stest {

/// A table of the daemons, one line each; `now` in seconds since the epoch.
std::string daemons_text(const std::vector<FoundDaemon>& daemons, double now);
/// The same as JSON.
std::string daemons_json(const std::vector<FoundDaemon>& daemons);

/// `stest ps`: shows all daemons of this user.
ExitCode list_daemons(bool json, Console& console);

/// `stest stop --all`: ends all of them, and says so in one line each. `daemon_unavailable` if one does not
/// end.
ExitCode stop_all_daemons(Console& console);

}  // namespace stest
