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

/// Where connections wait until the head of their request has come, whole: one thread for all of them, so
/// that a client that connects and is silent, or trickles, costs a descriptor and nothing else. Only then is
/// a connection handed over. Borrows the listening socket.
///
/// Limits: a head has 10 s and 32 KiB. Of 256 that wait, a further one replaces the oldest.
class PendingConnections {
 public:
  static constexpr std::chrono::seconds head_patience{10};
  static constexpr std::size_t max_head = 32u << 10;
  static constexpr std::size_t max_waiting = 256;

  /// Whether who has connected may do so; asked before anything is read.
  using Admit = std::function<bool(int connection)>;
  /// Takes a connection and what was read of it: the head and perhaps some of the body. Must not block.
  using HandOver = std::function<void(Fd connection, std::string received)>;

  PendingConnections(int listening, Admit admit, HandOver hand_over);

  /// Receives until `stop`.
  void run();
  /// From any thread; effective before `run` too.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;

  struct PendingConnection {
    Fd connection;
    std::string received;
    Clock::time_point deadline;
    bool is_leaving = false;  ///< Has its answer; what it still sends is dropped, lest it miss that answer.
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
