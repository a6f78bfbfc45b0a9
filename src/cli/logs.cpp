#include "cli/logs.hpp"

#include <chrono>
#include <thread>

#include "common/config/log_tail.hpp"

namespace stest {
namespace {

using namespace std::chrono_literals;

// Fast enough for a person, so inotify is not needed.
constexpr auto look_period = 100ms;

}  // namespace

int print_log(const std::filesystem::path& file, int lines, bool follow, Console& console) {
  std::error_code ignored;
  if (!follow && !std::filesystem::exists(file, ignored)) {
    console.say(Error{ErrorCode::not_running, "there is no log yet: " + file.string(),
                      "the first `stest` or `stest start` creates it"});
    return static_cast<int>(ExitCode::not_running);
  }
  LogFollower follower(file);
  AnsiFilter filter;  // Imported libraries may write escape sequences.
  bool is_read = console.write(Stream::out, filter.feed(last_lines(file, lines)));
  while (follow && is_read) {
    std::this_thread::sleep_for(look_period);
    is_read = console.write(Stream::out, filter.feed(follower.read_new()));
  }
  console.write(Stream::out, filter.finish());
  return static_cast<int>(ExitCode::ok);
}

}  // namespace stest
