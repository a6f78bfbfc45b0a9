#include "cli/command_line/help.hpp"

#include <array>

namespace stest {
namespace {

constexpr std::array<CommandInfo, 9> help_entries{{
    {"run", Action::run, "run pytest, with options of stest",
     "Run pytest in the project's daemon. Everything after `--` goes to pytest unchanged.",
     "Examples:\n"
     "  stest run -- tests/test_model.py -x\n"
     "  stest run --stuck-after 5m -- -k training\n"
     "  stest run --plain -- -s         no escape sequences, whatever the tests print\n"
     "  stest run --no-wait -- -q       do not wait for another run\n"
     "  stest run --timings -- -q       where the time went\n"
     "  stest run --events -- -q        for tools: one JSON object per line\n"
     "  stest run --cold -- -k flaky    python -m pytest itself, for comparison"},
    {"verify", Action::verify, "run warm and cold, and report every difference",
     "Run pytest in the daemon, and again as `python -m pytest` in a fresh process. Report every difference\n"
     "in outcomes, warnings and exit code. Every argument goes to pytest; `stest verify -- --help` shows\n"
     "pytest's help. Exit code 0: both runs agree, even if tests fail. 109: they differ.",
     "Examples:\n  stest verify\n  stest verify tests/test_model.py -k loss"},
    {"status", Action::status, "what the daemon does, and what it has preloaded",
     "Show the state of the project's daemon. Exit code 108: none is running.",
     "Examples:\n  stest status\n  stest status --json"},
    {"cancel", Action::cancel, "end a run, as Ctrl-C in its client does",
     "Ask the daemon to end a run, wherever it was started. A run that waits leaves the queue. The run's\n"
     "client says so, and returns 107, or 2 if pytest ended by itself. Exit code 108: no such run.",
     "Examples:\n  stest cancel\n  stest cancel 3 --how kill"},
    {"stop", Action::stop, "end the daemon, and wait until it has ended",
     "End the project's daemon and everything that it started. Return when the daemon has ended.", ""},
    {"start", Action::start, "start the daemon ahead of the first run",
     "Start the project's daemon if it does not run, and print its pid.", ""},
    {"restart", Action::restart, "stop, then start", "Stop the project's daemon and start a new one.", ""},
    {"logs", Action::logs, "the end of the daemon's log", "Print the last lines of the daemon's log.",
     "Examples:\n  stest logs -n 200\n  stest logs -f"},
    {"doctor", Action::doctor, "check the installation, and say how to repair it",
     "Check stest's programs, Python, pytest, whether the worker can be forked, the project's configuration\n"
     "and state folder, and the machine's limits. A running daemon is not disturbed, and none is started.\n"
     "Exit code 0: it works, though there may be warnings. 113: something must be repaired.",
     "Examples:\n  stest doctor\n  stest doctor --json"},
}};

constexpr std::string_view before_commands =
    R"(stest runs pytest in a process that has already done the slow imports.

Usage:
  stest [PYTEST ARGUMENTS...]                   every argument goes to pytest
  stest run [OPTIONS] -- [PYTEST ARGUMENTS...]  the same, with options of stest
  stest COMMAND [OPTIONS]

Commands (as the first argument):
)";

constexpr std::string_view after_commands = R"(
  `stest COMMAND --help` shows more. If a file or folder has the name of a command,
  write its path: stest ./run

Options (as the first argument):
  -h, --help  this text; for pytest's help: stest run -- --help
  --version   stest's version; for pytest's version: stest run -- --version

Examples:
  stest                             all tests
  stest tests/test_model.py::test_loss -x
  stest -k tokenizer --lf
  stest run --stuck-after 5m -- tests -q
  stest verify tests/test_model.py  compare a warm and a cold run
  stest status

Exit codes: 0 to 5 are pytest's (0 passed, 1 failed, 2 interrupted, 3 internal error,
4 usage error, 5 no tests). stest's codes:
  100  a bug in stest
  101  a command line that stest does not understand
  102  an invalid [tool.sprintest] key or SPRINTEST_* variable
  103  the daemon ended during the run; with --events and in commands: no daemon can be used
  104  the worker died while the tests ran
  105  the process that ran the tests died before pytest finished
  106  the same, killed from outside: mostly out of memory
  107  the run was ended by `stest cancel` or `stest stop` before pytest finished
  108  `stest status`, `stest logs`: there is no daemon; `stest cancel`: there is no such run
  109  `stest verify`: the warm and the cold run differ
  110  `stest run --no-wait`: other runs are going on
  111  the run was silent for longer than hang_timeout, and was ended
  112  `stest verify`, `stest run --events`: only a cold run can be right, and none was made
  113  `stest doctor`: something must be repaired
On SIGTERM (`timeout 60 stest`), stest shows the running test, its duration and its stack. Then
it ends the run, and itself by the signal (143 in a shell). Another SIGTERM ends it at once.

Environment variables (each overrides its key in [tool.sprintest], if it has one):
  SPRINTEST_DIR           the folder of the daemon's files (.sprintest in the project's root)
  SPRINTEST_LOCK_FILE     its lock (daemon.lock in that folder)
  SPRINTEST_LOG_LEVEL     DEBUG, INFO, WARNING or ERROR
  SPRINTEST_ISOLATION     fork: each run is a separate process; resident: one for all (fork)
  SPRINTEST_RELOAD        has no effect
  SPRINTEST_TARGET_PKG, SPRINTEST_TARGET_PKG_PATH
                          name and folder of the package under development
  SPRINTEST_STUCK_AFTER   silence after which stest shows the running test (30s)
  SPRINTEST_HANG_TIMEOUT  silence after which a run is ended (none)
  SPRINTEST_IDLE_TIMEOUT  idle time after which the daemon ends (2h)
  SPRINTEST_WORKER_TIMEOUT
                          time for the worker to answer, or to import one module (5m)
  SPRINTEST_CONCURRENCY   how many runs may go on at the same time (1)
  SPRINTEST_MEMORY_LIMIT  the most memory that the worker may hold (none)
  SPRINTEST_PRIME         no: collect no tests ahead of the next request (yes)
  SPRINTEST_WAIT_FOR_WORKER
                          yes: wait while the worker imports, instead of running cold (no)
  SPRINTEST_VERIFY_FAILURES
                          yes: check failures in a cold run before the result is final (no)
  SPRINTEST_FORCE_TCP, SPRINTEST_PORT
                          serve on 127.0.0.1 instead of a Unix socket; its port (8000)
  NO_COLOR, FORCE_COLOR, PY_COLORS
                          colour in stest's lines, as in pytest's; --color=… comes first
  AI_AGENT, CLAUDECODE, CODEX_CI, CODEX_THREAD_ID, CURSOR_AGENT, GEMINI_CLI, GOOSE_TERMINAL,
  OPENCODE                set by coding agents: --plain, if stdout is not a terminal and
                          nothing asks for colour
)";

}  // namespace

const CommandInfo* find_command(std::string_view name) {
  for (const auto& command : help_entries) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string help_text() {
  std::string text(before_commands);
  for (const auto& command : help_entries) {
    text.append("  ").append(command.name).append(std::string(10 - command.name.size(), ' '));
    text.append(command.summary).append("\n");
  }
  return text.append(after_commands);
}

}  // namespace stest
