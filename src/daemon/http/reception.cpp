#include "daemon/http/reception.hpp"

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

#include "daemon/http/raw_refusal.hpp"

namespace stest {

namespace {

constexpr std::size_t read_size = 16u << 10;
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::chrono::seconds leave_patience{1};
/// Before another try where the system is out of descriptors or memory.
constexpr std::chrono::milliseconds shortage_pause{20};

bool has_head(const std::string& received, std::size_t already_searched) {
  const auto overlap = std::min(already_searched, end_of_head.size() - 1);
  return received.find(end_of_head, already_searched - overlap) != std::string::npos;
}

std::string too_large() {
  return raw_refusal(431,
                     {ErrorCode::bad_request, "the request's line and headers are larger than 32 KiB", ""});
}

std::string too_slow() {
  return raw_refusal(408, {ErrorCode::bad_request, "the request's headers did not come within 10 s", ""});
}

std::string other_user() {
  return raw_refusal(403, {ErrorCode::forbidden, "this daemon serves another user",
                           "Set SPRINTEST_DIR to a folder of your own."});
}

/// An error of the connection that was to be accepted, not of the listening socket; see accept(2).
bool is_gone(int error) { return error == ECONNABORTED || error == EPROTO || error == EINTR; }

bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// A sandbox lets nobody in: this daemon is of no use, and whoever waits for it is to hear of that.
void give_up(int error) {
  spdlog::error("connections cannot be accepted here: {}", std::generic_category().message(error));
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

Reception::Reception(int listening, Admit admit, HandOver hand_over)
    : listening_(listening),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      admit_(std::move(admit)),
      hand_over_(std::move(hand_over)) {}

void Reception::run() {
  while (true) {
    auto entries = polled();
    if (::poll(entries.data(), entries.size(), poll_timeout()) < 0) continue;  // EINTR, or no memory now.
    if (entries[0].revents != 0) return guests_.clear();
    auto guest = guests_.begin();
    for (std::size_t i = 2; i < entries.size(); ++i) {
      guest = entries[i].revents != 0 ? attend(guest) : std::next(guest);
    }
    end_overdue();
    while (entries[1].revents != 0 && accept_one()) {
    }
  }
}

void Reception::stop() { eventfd_write(wake_.get(), 1); }

/// What wakes it, the listening socket, then the guests in their order.
std::vector<pollfd> Reception::polled() const {
  std::vector<pollfd> entries{{wake_.get(), POLLIN, 0}, {listening_, POLLIN, 0}};
  for (const auto& guest : guests_) entries.push_back({guest.connection.get(), POLLIN, 0});
  return entries;
}

int Reception::poll_timeout() const {
  const auto first =
      std::min_element(guests_.begin(), guests_.end(),
                       [](const auto& left, const auto& right) { return left.deadline < right.deadline; });
  if (first == guests_.end()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(first->deadline - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

/// Whether another one may wait to be accepted.
bool Reception::accept_one() {
  Fd connection(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection) return welcome(std::move(connection)), true;
  const int error = errno;
  if (is_denied(error)) give_up(error);
  if (!is_shortage(error)) return is_gone(error);
  spdlog::warn("cannot accept a connection: {}", std::generic_category().message(error));
  if (guests_.empty()) std::this_thread::sleep_for(shortage_pause);
  make_room();
  return false;
}

/// Most clients send their head at once, so that it is there already.
void Reception::welcome(Fd connection) {
  if (guests_.size() >= max_waiting) make_room();
  guests_.push_back({std::move(connection), "", Clock::now() + head_patience});
  if (!admit_(guests_.back().connection.get())) return dismiss(guests_.back(), other_user());
  attend(std::prev(guests_.end()));
}

void Reception::make_room() {
  if (!guests_.empty()) guests_.pop_front();
}

/// Reads what is there; the next guest.
Reception::Guests::iterator Reception::attend(Guests::iterator guest) {
  const auto read = read_some(guest->connection.get(), read_size);
  if (!read || read->end) return guests_.erase(guest);
  if (read->would_block || guest->is_leaving) return std::next(guest);
  return take_head(guest, read->data);
}

Reception::Guests::iterator Reception::take_head(Guests::iterator guest, const std::string& data) {
  const auto searched = guest->received.size();
  guest->received += data;
  if (has_head(guest->received, searched)) {
    hand_over_(std::move(guest->connection), std::move(guest->received));
    return guests_.erase(guest);
  }
  if (guest->received.size() > max_head) dismiss(*guest, too_large());
  return std::next(guest);
}

/// One that has said nothing is owed no answer.
void Reception::end_overdue() {
  for (auto guest = guests_.begin(); guest != guests_.end();) {
    const bool is_overdue = guest->deadline <= Clock::now();
    const bool is_owed = !guest->is_leaving && !guest->received.empty();
    if (is_overdue && is_owed) dismiss(*guest, too_slow());
    guest = is_overdue && !is_owed ? guests_.erase(guest) : std::next(guest);
  }
}

/// What does not fit into the socket's buffer, which is empty, is not worth waiting for.
void Reception::dismiss(Guest& guest, const std::string& answer) {
  (void)write_some(guest.connection.get(), answer);
  ::shutdown(guest.connection.get(), SHUT_WR);
  guest.received.clear();
  guest.is_leaving = true;
  guest.deadline = Clock::now() + leave_patience;
}

}  // namespace stest
