#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/status_file.hpp"

namespace stest {

/// 256 bits from the kernel as 64 hexadecimal digits. Errors: `internal`.
Result<std::string> make_token();

/// Compares in a time that depends only on the lengths.
bool equal_in_constant_time(std::string_view left, std::string_view right);

/// Whether the process at the other end of a connected Unix socket belongs to this user. Root is another
/// user: its tests must not run as this user.
bool is_own_user(int connection);

/// The headers that decide about access; a header that occurs twice has two entries.
struct Claims {
  std::vector<std::string> hosts;
  std::vector<std::string> authorizations;
};

/// Whether a request with these headers may be served. Over TCP it needs the token, and a `Host` that names
/// this machine. With another name it may come from a web page whose domain resolves to this machine (DNS
/// rebinding).
///
/// Errors: `bad_request` without exactly one `Host`; `forbidden`; `unauthorized`.
Status check_access(const Endpoint& endpoint, const Claims& claims);

}  // namespace stest
