#pragma once

#include <filesystem>
#include <optional>

#include "common/os/fd.hpp"
#include "common/status_file.hpp"
#include "daemon/held_file.hpp"

namespace stest {

/// A listening socket and its address. Owns the socket, and removes the file of a Unix socket at the end,
/// unless another daemon has put its own there.
class ServerSocket {
 public:
  /// A Unix socket that only this user can open; a stale file at `path` is replaced.
  /// Errors: `daemon_unavailable`.
  static Result<ServerSocket> at_path(const std::filesystem::path& path);

  /// TCP on 127.0.0.1 with a new token. Without `port` it is 8000, or any free one if 8000 is in use.
  /// Errors: `daemon_unavailable`.
  static Result<ServerSocket> on_loopback(std::optional<int> port);

  ServerSocket(ServerSocket&& other) noexcept;
  ServerSocket& operator=(ServerSocket&&) = delete;
  ~ServerSocket() { remove_file(); }

  int fd() const { return fd_.get(); }
  const Endpoint& endpoint() const { return endpoint_; }
  /// Removes the file of a Unix socket, so that no further client finds it.
  void remove_file();

 private:
  ServerSocket(Fd fd, Endpoint endpoint);

  Fd fd_;
  Endpoint endpoint_;
  HeldFile file_;         ///< Of a Unix socket.
  bool has_file_ = true;  ///< The file of a Unix socket still exists.
};

}  // namespace stest
