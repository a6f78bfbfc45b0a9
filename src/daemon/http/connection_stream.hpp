#pragma once

#include <httplib.h>

#include <chrono>
#include <string>

#include "common/os/fd.hpp"

namespace stest {

/// A connection for httplib: the bytes that were read already, then the socket. Unlike httplib's stream, it
/// works with descriptors above 1024 (no select), and has one deadline for the whole body instead of one for
/// each byte. Owns the connection.
class ConnectionStream : public httplib::Stream {
 public:
  static constexpr std::chrono::seconds body_patience{60};

  ConnectionStream(Fd connection, std::string received);

  // Without `override`, because the functions of the base class depend on httplib's version.
  // NOLINTBEGIN(modernize-use-override)
  bool is_readable() const { return true; }
  /// Waits until the client takes more; false if it has gone. There is no time limit, so a client may be
  /// stopped (Ctrl-Z).
  bool is_writable() const;
  bool wait_readable() const { return wait_for_input(); }
  bool wait_writable() const { return is_writable(); }
  bool is_peer_alive() const { return is_writable(); }
  ssize_t read(char* data, std::size_t size);
  ssize_t write(const char* data, std::size_t size);
  void get_remote_ip_and_port(std::string&, int&) const {}
  void get_local_ip_and_port(std::string&, int&) const {}
  socket_t socket() const { return 0; }  ///< httplib only asks whether it is below 1024.
  time_t duration() const { return 0; }
  // NOLINTEND(modernize-use-override)

  /// Ends the answer, and drops what the client still sends for up to two seconds. If the connection were
  /// closed with unread data, it would be reset, and the client might not get its answer.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool wait_for_input() const;

  Fd connection_;
  std::string received_;
  std::size_t taken_ = 0;  ///< How much of `received_` was read.
  const Clock::time_point deadline_;
};

}  // namespace stest
