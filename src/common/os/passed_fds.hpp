#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "common/os/fd.hpp"

namespace stest {

/// Descriptors that travel with bytes over a Unix socket (SCM_RIGHTS).
constexpr std::size_t max_passed_fds = 64;

/// Room for the control message that carries up to `max_passed_fds` descriptors.
struct alignas(cmsghdr) ControlBuffer {
  std::array<char, CMSG_SPACE(max_passed_fds * sizeof(int))> bytes{};
};

/// Adds them to a message that is to be sent. `control` must live until then.
void attach(msghdr& message, ControlBuffer& control, const std::vector<int>& fds);
/// Takes them from a message that was received.
std::vector<Fd> detach(msghdr& message);

/// Sends some of `data`, at least one byte, and all of `fds` with it. As `send(2)`.
ssize_t send_some(int socket, std::string_view data, const std::vector<int>& fds);

/// As `read_some`, for any socket; adds the descriptors that came with the bytes to `fds`.
Result<ReadResult> receive_some(int socket, std::size_t limit, std::vector<Fd>& fds);

}  // namespace stest
