#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "common/os/fd.hpp"
#include "common/status_file.hpp"
#include "stest/error.hpp"

namespace stest {

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;  ///< JSON, or empty.
};

/// Waits without limit.
constexpr std::chrono::milliseconds for_ever{-1};

/// A piece of the answer's body, and the status, which is known by then; false: no more is wanted.
using AnswerSink = std::function<bool(int status, std::string_view piece)>;

/// Whether a daemon listens at `endpoint`. One whose queue of connections is full counts as well.
///
/// Errors: `daemon_unavailable` where a sandbox denies asking, so that nobody knows.
Result<bool> is_listening(const Endpoint& endpoint);

/// Sends a request to the daemon, on a connection of its own, and hands on the answer as it comes. `patience`
/// is how long the daemon may be silent. One that is too busy to accept is asked again for that long, 30 s at
/// most.
///
/// Returns the status, also where the sink wanted no more. Errors: `daemon_unavailable` where nobody listens,
/// where the daemon is silent for too long, and where the connection ends before the answer does.
Result<int> exchange(const Endpoint& endpoint, const HttpRequest& request, std::chrono::milliseconds patience,
                     const AnswerSink& sink);

}  // namespace stest
