#include "common/os/passed_fds.hpp"

#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace stest {

void attach(msghdr& message, ControlBuffer& control, const std::vector<int>& fds) {
  if (fds.empty()) return;
  const std::size_t size = fds.size() * sizeof(int);
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), fds.data(), size);
}

std::vector<Fd> detach(msghdr& message) {
  std::vector<Fd> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

ssize_t send_some(int socket, std::string_view data, const std::vector<int>& fds) {
  iovec part{const_cast<char*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control;
  attach(message, control, fds);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

Result<ReadResult> receive_some(int socket, std::size_t limit, std::vector<Fd>& fds) {
  ReadResult result;
  result.data.resize(limit);
  iovec part{result.data.data(), limit};
  ControlBuffer control;
  msghdr message{};
  ssize_t count = 0;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  result.would_block = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  result.end = count == 0;
  if (count < 0 && !result.would_block) return errno_error("cannot receive");
  result.data.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count > 0) {
    for (auto& fd : detach(message)) fds.push_back(std::move(fd));
  }
  return result;
}

}  // namespace stest
