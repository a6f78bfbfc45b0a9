#include "daemon/http/pending_connections.hpp"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "common/os/passed_fds.hpp"
#include "daemon/http/raw_refusal.hpp"

namespace stest {

namespace {

constexpr std::size_t read_size = 16u << 10;
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::chrono::seconds leave_patience{1};
/// The pause before the next try if the system is out of descriptors or memory.
constexpr std::chrono::milliseconds shortage_pause{20};

bool has_head(const std::string& received, std::size_t already_searched) {
  const auto overlap = std::min(already_searched, end_of_head.size() - 1);
  return received.find(end_of_head, already_searched - overlap) != std::string::npos;
}

std::string head_too_large() {
  return raw_refusal(431,
                     {ErrorCode::bad_request, "the request's line and headers are larger than 32 KiB", ""});
}

std::string too_slow() {
  return raw_refusal(408,
                     {ErrorCode::bad_request, "the request's headers were not complete within 10 s", ""});
}

std::string other_user() {
  return raw_refusal(403, {ErrorCode::forbidden, "this daemon serves another user",
                           "Set SPRINTEST_DIR to a folder that belongs to you."});
}

/// An error of the pending connection, not of the listening socket; see accept(2).
bool is_gone(int error) { return error == ECONNABORTED || error == EPROTO || error == EINTR; }

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// A sandbox denies accept4(). The daemon is useless, and ends, so that clients do not wait for it.
void give_up(int error) {
  spdlog::error("connections cannot be accepted here: {}", std::generic_category().message(error));
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

PendingConnections::PendingConnections(int listening, Admit admit, HandOver hand_over)
    : listening_(listening),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      admit_(std::move(admit)),
      hand_over_(std::move(hand_over)) {}

void PendingConnections::run() {
  while (true) {
    auto entries = polled();
    if (::poll(entries.data(), entries.size(), poll_timeout()) < 0) continue;  // EINTR, or no memory now.
    if (entries[0].revents != 0) return all_.clear();
    auto pending = all_.begin();
    for (std::size_t i = 2; i < entries.size(); ++i) {
      pending = entries[i].revents != 0 ? attend(pending) : std::next(pending);
    }
    end_overdue();
    while (entries[1].revents != 0 && accept_one()) {
    }
  }
}

void PendingConnections::stop() { eventfd_write(wake_.get(), 1); }

/// The descriptor that `stop` uses, the listening socket, then the connections in order.
std::vector<pollfd> PendingConnections::polled() const {
  std::vector<pollfd> entries{{wake_.get(), POLLIN, 0}, {listening_, POLLIN, 0}};
  for (const auto& pending : all_) entries.push_back({pending.connection.get(), POLLIN, 0});
  return entries;
}

int PendingConnections::poll_timeout() const {
  const auto first = std::min_element(all_.begin(), all_.end(), [](const auto& left, const auto& right) {
    return left.deadline < right.deadline;
  });
  if (first == all_.end()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first->deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

/// Accepts a connection. Returns whether another one may be waiting.
bool PendingConnections::accept_one() {
  Fd connection(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) return accept(std::move(connection)), true;
  const int error = errno;
  if (is_denied(error)) give_up(error);
  if (!is_shortage(error)) return is_gone(error);
  spdlog::warn("cannot accept a connection: {}", std::generic_category().message(error));
  if (all_.empty()) std::this_thread::sleep_for(shortage_pause);
  make_room();
  return false;
}

/// Reads at once, because most clients send their head immediately.
void PendingConnections::accept(Fd connection) {
  if (all_.size() >= max_waiting) make_room();
  all_.push_back({std::move(connection), "", {}, Clock::now() + head_patience});
  if (!admit_(all_.back().connection.get())) return reject(all_.back(), other_user());
  attend(std::prev(all_.end()));
}

void PendingConnections::make_room() {
  if (!all_.empty()) all_.pop_front();
}

/// Reads what is available. Returns the next pending connection.
PendingConnections::Pending::iterator PendingConnections::attend(Pending::iterator pending) {
  const auto read = receive_some(pending->connection.get(), read_size, pending->fds);
  if (!read || read->end) return all_.erase(pending);
  if (read->would_block || pending->is_leaving) return std::next(pending);
  return take_head(pending, read->data);
}

PendingConnections::Pending::iterator PendingConnections::take_head(Pending::iterator pending,
                                                                    const std::string& data) {
  const auto searched = pending->received.size();
  pending->received += data;
  if (has_head(pending->received, searched)) {
    hand_over_(std::move(pending->connection), std::move(pending->received), std::move(pending->fds));
    return all_.erase(pending);
  }
  if (pending->received.size() > max_head) reject(*pending, head_too_large());
  return std::next(pending);
}

/// A connection on which nothing was received gets no answer.
void PendingConnections::end_overdue() {
  for (auto pending = all_.begin(); pending != all_.end();) {
    const bool is_overdue = pending->deadline <= Clock::now();
    const bool is_owed = !pending->is_leaving && !pending->received.empty();
    if (is_overdue && is_owed) reject(*pending, too_slow());
    pending = is_overdue && !is_owed ? all_.erase(pending) : std::next(pending);
  }
}

/// Does not wait: the answer fits into the socket's buffer, which is empty.
void PendingConnections::reject(PendingConnection& pending, const std::string& answer) {
  (void)write_some(pending.connection.get(), answer);
  ::shutdown(pending.connection.get(), SHUT_WR);
  pending.received.clear();
  pending.is_leaving = true;
  pending.deadline = Clock::now() + leave_patience;
}

}  // namespace stest
