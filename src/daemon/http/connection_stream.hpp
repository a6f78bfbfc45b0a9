#pragma once

#include <httplib.h>

#include <chrono>
#include <string>

#include "common/os/fd.hpp"

namespace stest {

/// One connection as httplib sees it: what was read of it already, then the socket. Unlike httplib's own it
/// has no limit of 1024 descriptors (select), and one deadline for the whole of the request's body instead
/// of one for each byte. Owns the connection.
///
/// No `override`: httplib's versions differ in what a stream has.
class ConnectionStream : public httplib::Stream {
 public:
  static constexpr std::chrono::seconds body_patience{60};

  ConnectionStream(Fd connection, std::string received);

  // Without `override`: which of these the base has depends on httplib's version.
  // NOLINTBEGIN(modernize-use-override)
  bool is_readable() const { return true; }
  /// Waits until the client takes more; false once it has gone. A client that is stopped (Ctrl-Z) loses
  /// nothing, however long.
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

  /// Ends what is sent, and drops what the client still sends for two seconds: a connection that is closed
  /// before is reset, and the client may never see its answer.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool wait_for_input() const;

  Fd connection_;
  std::string received_;
  std::size_t taken_ = 0;  ///< Of `received_`.
  const Clock::time_point deadline_;
};

}  // namespace stest
