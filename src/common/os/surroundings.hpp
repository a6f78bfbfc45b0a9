#pragma once

#include <optional>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// What the kernel shows a process of the machine, and allows it: its namespaces, its sandbox. By kind, such
/// as "pid" → "pid:[4026531836]". Tests may tell two apart, so a daemon answers only for its own.
using Surroundings = Environment;

/// Those of this process.
const Surroundings& own_surroundings();

/// In what two surroundings differ, in words ("PID and mount namespace"); empty where they do not. What only
/// one of them knows does not count.
std::string different_surroundings(const Surroundings& one, const Surroundings& other);

/// Whether a process of `other` has a pid that means something to a process of `one`.
bool shares_pids(const Surroundings& one, const Surroundings& other);

/// Why processes cannot be found here, if /proc is not this PID namespace's own.
std::optional<std::string> proc_problem();

}  // namespace stest
