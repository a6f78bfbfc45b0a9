#pragma once

#include <optional>
#include <string>

#include "stest/config.hpp"

namespace stest {

/// The namespaces, the sandbox and the machine of a process, by kind, such as "pid" → "pid:[4026531836]".
/// Tests could have another result in other surroundings, so a daemon serves only clients with the same ones.
using Surroundings = Environment;

/// The surroundings of this process.
const Surroundings& own_surroundings();

/// The differences between two surroundings in words ("PID namespace and mount namespace"); empty if there
/// are none. A kind that is in only one of them does not count.
std::string different_surroundings(const Surroundings& one, const Surroundings& other);

/// Whether pids have the same meaning in both.
bool shares_pids(const Surroundings& one, const Surroundings& other);

/// Why processes cannot be found, if /proc is missing or belongs to another PID namespace.
std::optional<std::string> proc_problem();

}  // namespace stest
