#include "cli/run.hpp"

#include "cli/failure_check.hpp"
#include "cli/warm_run.hpp"

namespace stest {
namespace {

int end_with(const Error& error, Console& console) {
  console.say(error);
  return static_cast<int>(exit_code(error.code));
}

}  // namespace

int run_tests(const RunOptions& options, Console& console) {
  const auto project = current_project();
  if (!project) return end_with(project.error(), console);
  const auto warm = run_warm(options, *project, console);
  if (!warm) return end_with(warm.error(), console);
  const auto done =
      wants_check(*warm, *project, console) ? check_failures(*warm, options, *project, console) : warm->done;
  if (options.events && !print_event(done, console)) return static_cast<int>(ExitCode::tests_failed);
  return done.exit_code;
}

}  // namespace stest
