#include <signal.h>

#include <exception>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/options.hpp"

namespace {

using namespace stest;

int report(Console& console, const Error& error) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // A reader that has left shows as an error of the write.
  Console console(Console::standard());
  try {
    const auto options = parse_options(std::vector<std::string>(argv + 1, argv + argc));
    return options ? execute(*options, console) : report(console, options.error());
  } catch (const std::exception& exception) {
    return report(console, {ErrorCode::internal, exception.what(), "this is a bug in stest"});
  }
}
