#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status_file.hpp"

namespace stest {

/// 256 bits from the kernel as 64 hexadecimal digits. Errors: `internal`.
Result<std::string> make_token();

/// In a time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view left, std::string_view right);

/// Whether the process at the other end of a connected Unix socket is this user's; root is another user,
/// whose tests must not run as this one.
bool is_own_user(int connection);

/// What a request says of itself; a header that comes twice has two entries.
struct Claims {
  std::vector<std::string> hosts;
  std::vector<std::string> authorizations;
};

/// Whether a request with these headers is to be served. Over TCP it needs the token, and a `Host` that names
/// this machine: under any other name it comes from a page in a browser whose domain was bound anew
/// (DNS rebinding).
///
/// Errors: `bad_request` without exactly one `Host`; `forbidden`; `unauthorized`.
Status check_access(const Endpoint& endpoint, const Claims& claims);

}  // namespace stest
