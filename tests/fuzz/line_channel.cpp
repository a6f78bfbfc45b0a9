// Any bytes on the channel between daemon and worker, or in the HTTP API's messages: each line is a message
// or a named error, and a message means the same after it was written and read once more.

#include "common/json/line_channel.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "stest/messages.hpp"
#include "stest/protocol.hpp"

namespace {

using nlohmann::json;
using stest::to_json;

/// JSON's escapes and numbers have several spellings: what counts is that writing is stable.
template <class Read>
void check(const json& value, Read read) {
  const auto message = read(value);
  if (!message) {
    if (message.error().message.empty()) std::abort();
    return;
  }
  const json written = to_json(*message);
  const auto again = read(written);
  if (!again || to_json(*again) != written) std::abort();
}

void check_line(const std::string& text) {
  const auto value = json::parse(text, nullptr, false);
  check(value, stest::protocol::to_worker_from_json);
  check(value, stest::protocol::from_worker_from_json);
  check(value, stest::run_request_from_json);
  check(value, stest::event_from_json);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto ends = stest::make_socketpair().value();
  // Less than the socket's buffer, which nobody empties yet: see -max_len in tests/run.
  if (!stest::write_all(ends.first.get(), {reinterpret_cast<const char*>(data), size})) std::abort();
  ends.first.reset();
  stest::LineChannel channel(std::move(ends.second));
  for (auto line = channel.receive(); line && *line; line = channel.receive()) check_line((*line)->text);
  return 0;
}
