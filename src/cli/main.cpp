#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/cold_run.hpp"
#include "cli/commands.hpp"
#include "cli/options.hpp"

namespace {

using namespace stest;

int report(Console& console, const Error& error) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

/// Where the caller closed 0, 1 or 2, nothing else may take their place: a socket as descriptor 1
/// would get the tests' output.
void fill_standard_descriptors() {
  int fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd < STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  Console console(Console::standard());
  try {
    const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc));
    if (!options) return report(console, options.error());
    // First of all, because pytest inherits descriptors and signals as they are.
    if (options->run.cold) return report(console, become_cold_run(options->run.pytest_args));
    fill_standard_descriptors();
    ::signal(SIGPIPE, SIG_IGN);  // A reader that has left shows as an error of the write.
    return execute(*options, console);
  } catch (const std::exception& exception) {
    return report(console, {ErrorCode::internal, exception.what(), "this is a bug in stest"});
  }
}
