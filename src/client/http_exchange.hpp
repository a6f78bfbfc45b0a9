#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/os/fd.hpp"
#include "common/status_file.hpp"
#include "stest/error.hpp"

namespace stest {

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;           ///< JSON, or empty.
  std::vector<int> fds = {};  ///< Descriptors that the daemon gets as well, over a Unix socket.
};

/// No time limit.
constexpr std::chrono::milliseconds for_ever{-1};

/// Takes the HTTP status and a piece of the answer's body. Returns false if it wants no more.
using AnswerSink = std::function<bool(int status, std::string_view piece)>;

/// Whether a daemon listens at `endpoint`, even if its queue of connections is full.
///
/// Errors: `daemon_unavailable` if a sandbox denies the connection, so that the answer is not known.
Result<bool> is_listening(const Endpoint& endpoint);

/// Sends a request to the daemon on a new connection, and passes the answer to `sink` as it comes. `patience`
/// is how long the daemon may be silent. If the daemon is too busy to accept, tries again for that time, at
/// most 30 s.
///
/// Returns the HTTP status, also if the sink wants no more. Errors: `daemon_unavailable` if no daemon
/// listens, if it is silent for too long, or if the connection ends before the answer does.
Result<int> exchange(const Endpoint& endpoint, const HttpRequest& request, std::chrono::milliseconds patience,
                     const AnswerSink& sink);

}  // namespace stest
