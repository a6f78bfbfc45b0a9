#include "cli/help.hpp"

#include <array>

namespace stest {
namespace {

constexpr std::array<CommandInfo, 9> commands{{
    {"run", Action::run, "run pytest, with options of stest's own",
     "Run pytest in the project's daemon. What follows `--` goes to pytest untouched.",
     "Examples:\n"
     "  stest run -- tests/test_model.py -x\n"
     "  stest run --stuck-after 5m -- -k training\n"
     "  stest run --plain -- -s         no escape sequences, whatever the tests print\n"
     "  stest run --no-wait -- -q       not behind another run\n"
     "  stest run --timings -- -q       where the time went\n"
     "  stest run --events -- -q        for tools: one JSON object per line\n"
     "  stest run --cold -- -k flaky    python -m pytest itself, for comparison"},
    {"verify", Action::verify, "run warm and cold, and report every difference",
     "Run pytest in the daemon, and again as `python -m pytest` in a fresh process. Report every difference\n"
     "in outcomes, warnings and exit code. Every argument goes to pytest; put `--` before an own --help.\n"
     "Exit code 0: both agree, be it on failures. 109: they differ.",
     "Examples:\n  stest verify\n  stest verify tests/test_model.py -k loss"},
    {"status", Action::status, "what the daemon does, and what it has preloaded",
     "Show the state of the project's daemon. Exit code 108: none is running.",
     "Examples:\n  stest status\n  stest status --json"},
    {"cancel", Action::cancel, "end a run, as Ctrl-C in its client does",
     "Ask the daemon to end a run, wherever it was started; a run that waits leaves the queue. Its own\n"
     "client says so, and returns 107, or 2 where pytest ended by itself. Exit code 108: no such run.",
     "Examples:\n  stest cancel\n  stest cancel 3 --how kill"},
    {"stop", Action::stop, "end the daemon, and return when it has gone",
     "End the project's daemon and whatever it runs; return when it has really gone.", ""},
    {"start", Action::start, "start the daemon ahead of the first run",
     "Start the project's daemon if it does not run, and print its pid.", ""},
    {"restart", Action::restart, "stop, then start", "Stop the project's daemon and start a new one.", ""},
    {"logs", Action::logs, "the end of the daemon's log", "Print the last lines of the daemon's log.",
     "Examples:\n  stest logs -n 200\n  stest logs -f"},
    {"doctor", Action::doctor, "check the installation, and say how to mend it",
     "Check stest's programs, Python, pytest, whether the worker can be forked, the project's configuration\n"
     "and state folder, and the machine's limits. Starts no daemon and disturbs none.\n"
     "Exit code 0: it works, though there may be warnings. 113: something must be mended.",
     "Examples:\n  stest doctor\n  stest doctor --json"},
}};

constexpr std::string_view before_commands =
    R"(stest runs pytest in a process in which the heavy imports are already done.

Usage:
  stest [PYTEST ARGUMENTS...]                   every argument goes to pytest, untouched
  stest run [OPTIONS] -- [PYTEST ARGUMENTS...]  the same, with options of stest's own
  stest COMMAND [OPTIONS]

Commands, where one is the first argument:
)";

constexpr std::string_view after_commands = R"(
  `stest COMMAND --help` tells more. For a file or a folder with the name of a command
  write its path: stest ./run

Options, where one is the first argument:
  -h, --help  this text; for pytest's own: stest run -- --help
  --version   stest's version; for pytest's own: stest run -- --version

Examples:
  stest                             all tests
  stest tests/test_model.py::test_loss -x
  stest -k tokenizer --lf
  stest run --stuck-after 5m -- tests -q
  stest verify tests/test_model.py  is the warm answer the right one?
  stest status

Exit codes: 0 to 5 are pytest's own (0 passed, 1 failed, 2 interrupted, 3 internal error,
4 usage error, 5 no tests). stest's own:
  100  a bug in stest
  101  a command line that stest does not understand
  102  a bad [tool.sprintest] key or SPRINTEST_* variable
  103  the daemon went away during the run; with --events and in commands: none can be used
  104  the worker died while the tests ran
  105  the process that ran the tests died before pytest finished
  106  the same, killed from outside: most often out of memory
  107  the run was ended by `stest cancel` or `stest stop` before pytest finished
  108  `stest status`, `stest logs`: there is no daemon; `stest cancel`: there is no such run
  109  `stest verify`: the warm and the cold run differ
  110  `stest run --no-wait`: other runs go on
  111  the run was silent for longer than hang_timeout, and was ended
  112  `stest verify`, `stest run --events`: only a cold run can be right, and none was made
  113  `stest doctor`: something must be mended
SIGTERM (`timeout 60 stest`) tells which test runs, for how long, and its stack; it then ends
the run, and stest by the signal (143 for a shell). Another SIGTERM ends stest at once.

Environment, each over its key in [tool.sprintest] of pyproject.toml where it has one:
  SPRINTEST_DIR           the folder of the daemon's files (.sprintest in the project's root)
  SPRINTEST_LOCK_FILE     its lock (daemon.lock in that folder)
  SPRINTEST_LOG_LEVEL     DEBUG, INFO, WARNING or ERROR
  SPRINTEST_ISOLATION     fork: a fresh process per run
  SPRINTEST_RELOAD        clean: the project is imported anew in each run
  SPRINTEST_TARGET_PKG, SPRINTEST_TARGET_PKG_PATH
                          name and folder of the package under development
  SPRINTEST_STUCK_AFTER   silence after which stest says which test is running (30s)
  SPRINTEST_HANG_TIMEOUT  silence after which a run is ended (none)
  SPRINTEST_IDLE_TIMEOUT  idle time after which the daemon ends (2h)
  SPRINTEST_WORKER_TIMEOUT
                          time for the worker to answer, or to import one module (5m)
  SPRINTEST_CONCURRENCY   how many runs go at once (1)
  SPRINTEST_MEMORY_LIMIT  the most memory that the worker may hold
  SPRINTEST_PRIME         no: collect no tests ahead of the next request (yes)
  SPRINTEST_VERIFY_FAILURES
                          yes: run again cold what failed, before that is the verdict (no)
  SPRINTEST_FORCE_TCP, SPRINTEST_PORT
                          serve on 127.0.0.1 instead of a Unix socket; its port (8000)
  NO_COLOR, FORCE_COLOR, PY_COLORS
                          colour in stest's own lines, as in pytest's; --color=… comes first
  AI_AGENT, CLAUDECODE, CODEX_CI, CODEX_THREAD_ID, CURSOR_AGENT, GEMINI_CLI, GOOSE_TERMINAL,
  OPENCODE                an agent reads: as with --plain, if stdout is no terminal and nobody
                          asks for colour
)";

}  // namespace

const CommandInfo* find_command(std::string_view name) {
  for (const auto& command : commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string help_text() {
  std::string text(before_commands);
  for (const auto& command : commands) {
    text.append("  ").append(command.name).append(std::string(10 - command.name.size(), ' '));
    text.append(command.summary).append("\n");
  }
  return text.append(after_commands);
}

}  // namespace stest
