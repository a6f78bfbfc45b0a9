#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "common/os/fd.hpp"

namespace stest {

/// Connections whose request head is not complete yet. One thread serves all of them, so a client that is
/// silent or slow costs only a descriptor. A connection with a complete head is handed over. Borrows the
/// listening socket.
///
/// Limits: 10 s and 32 KiB for a head; 256 pending connections, of which a further one replaces the oldest.
class PendingConnections {
 public:
  static constexpr std::chrono::seconds head_patience{10};
  static constexpr std::size_t max_head = 32u << 10;
  static constexpr std::size_t max_waiting = 256;

  /// Whether the process at the other end may connect. Called before anything is read.
  using Admit = std::function<bool(int connection)>;
  /// Takes a connection and what was read from it: the head, perhaps a part of the body, and the descriptors
  /// that came with these bytes. Must not block.
  using HandOver = std::function<void(Fd connection, std::string received, std::vector<Fd> fds)>;

  PendingConnections(int listening, Admit admit, HandOver hand_over);

  /// Receives until `stop`.
  void run();
  /// May be called by any thread, and before `run`.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  struct PendingConnection {
    Fd connection;
    std::string received;
    std::vector<Fd> fds;
    Clock::time_point deadline;
    bool is_leaving = false;  ///< It was answered; further input is dropped, so that it gets the answer.
  };
  using Pending = std::list<PendingConnection>;  ///< The oldest first.

  std::vector<pollfd> polled() const;
  int poll_timeout() const;
  bool accept_one();
  void accept(Fd connection);
  void make_room();
  Pending::iterator attend(Pending::iterator pending);
  Pending::iterator take_head(Pending::iterator pending, const std::string& data);
  void end_overdue();
  void reject(PendingConnection& pending, const std::string& answer);

  const int listening_;
  const Fd wake_;
  const Admit admit_;
  const HandOver hand_over_;
  Pending all_;
};

}  // namespace stest
