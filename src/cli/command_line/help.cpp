#include "cli/command_line/help.hpp"

namespace stest {
namespace {

std::vector<HelpRow> command_rows() {
  std::vector<HelpRow> rows;
  for (const auto& command : command_table()) rows.push_back({command.name, command.summary});
  return rows;
}

/// Each line begins after so many spaces.
std::string indented(std::string_view text, std::size_t spaces) {
  std::string result(spaces, ' ');
  for (const char letter : text) {
    result += letter;
    if (letter == '\n') result.append(spaces, ' ');
  }
  return result;
}

std::string row_text(const HelpRow& row, std::size_t width) {
  const auto name = indented(row.name, 2);
  if (row.text.empty()) return name + "\n";
  const auto text = indented(row.text, width);
  return (name.size() + 2 > width ? name + "\n" + text : name + text.substr(name.size())) + "\n";
}

}  // namespace

const std::vector<CommandInfo>& command_table() {
  static const std::vector<CommandInfo> table{
      {"run", Action::run, "run pytest, with options of stest",
       "Run pytest in the project's daemon. The options of stest come first. The first word that is none of\n"
       "them, and all that follow, go to pytest unchanged, as does everything after `--`.",
       "Examples:\n"
       "  stest run --stuck-after 5m -k training\n"
       "  stest run --plain -s         no escape sequences, whatever the tests print\n"
       "  stest run --no-wait -q       do not wait for another run\n"
       "  stest run --timings tests    where the time went\n"
       "  stest run --events -q        for tools: one JSON object per line\n"
       "  stest run --failed -x        what failed in the last run\n"
       "  stest run --report json      for tools: the whole report as JSON\n"
       "  stest run --cold -k flaky    python -m pytest itself, for comparison\n"
       "  stest run --python .venv     in another environment than stest's own\n"
       "  stest run --ray -- tests     with workers on the nodes of a Ray cluster\n"
       "  stest run -- --help          pytest's help"},
      {"python", Action::python, "the environment's Python, warm: a program, a module or code",
       "Do what `python` does with the same arguments, in a process that has already done the slow imports.\n"
       "Where that is not possible (-i, -X and other options; a prompt), it is `python` itself. Every\n"
       "argument belongs to Python, also --help, except --warm-children as the first one: then\n"
       "sys.executable is `stest-python`, so that the Pythons that the program starts are warm too.",
       "Examples:\n"
       "  stest python train.py --epochs 1\n"
       "  stest python -m mypackage\n"
       "  stest python -c 'import torch; print(torch.__version__)'\n"
       "  stest python --warm-children -m torch.distributed.run --nproc-per-node 2 train.py"},
      {"verify", Action::verify, "compare with plain pytest, in answers and time",
       "Run the tests as `python -m pytest` in a fresh process, and in the daemon until it is warm. Report\n"
       "the times, every difference in outcomes, warnings and exit code, and what costs time in each warm\n"
       "run. Every argument goes to pytest; `stest verify -- --help` shows pytest's help. Exit code 0: both\n"
       "runs agree, even if tests fail. 109: they differ.",
       "Examples:\n  stest verify\n  stest verify tests/test_model.py -k loss"},
      {"last", Action::last, "the report of the last run, without running again",
       "Show the report of the last run of this project, or of another one on record: what failed, where "
       "and\n"
       "why. Runs of the daemon are kept, the last 200 of them. Exit code 108: it is not on record, for\n"
       "example because the last run was cold.",
       "Examples:\n  stest last\n  stest last --failed\n  stest last --json 12"},
      {"history", Action::history, "the last runs, or what became of a test in them",
       "List the last runs, or the outcomes and durations of the tests whose node id contains TEST: when "
       "each\n"
       "failed first, and whether it is flaky. Exit code 108: nothing is on record.",
       "Examples:\n  stest history\n  stest history tests/test_model.py::test_loss"},
      {"mcp", Action::mcp, "serve a coding agent by the Model Context Protocol",
       "Speak the Model Context Protocol (2025-06-18 to 2026-07-28) on stdin and stdout. Tools: run_tests,\n"
       "last_failures, explain, status, list_tests. Agents start it themselves; docs/agents.md has the "
       "settings.",
       ""},
      {"hook", Action::hook, "for coding agents: turn pytest commands into stest",
       "Read the JSON that an agent gives to a hook before a shell command, and answer with the command in\n"
       "which `pytest` or `python -m pytest` is `stest`. Other commands go on as they are. docs/agents.md "
       "has\n"
       "the settings.",
       ""},
      {"status", Action::status, "what the daemon does, and what it has preloaded",
       "Show the state of the project's daemon. Exit code 108: none is running.",
       "Examples:\n  stest status\n  stest status --json\n  stest status --json --modules"},
      {"ps", Action::ps, "your daemons on this machine, of all projects",
       "List your daemons on this machine: state, age, memory (with all processes that they started), "
       "Python\n"
       "and root. A daemon is unreachable if its folder is gone or it runs in another sandbox.",
       "Examples:\n  stest ps\n  stest ps --json"},
      {"cancel", Action::cancel, "end a run, as Ctrl-C in its client does",
       "Ask the daemon to end a run, wherever it was started. A run that waits leaves the queue. The run's\n"
       "client says so, and returns 107, or 2 if pytest ended by itself. Exit code 108: no such run.",
       "Examples:\n  stest cancel\n  stest cancel 3 --how kill"},
      {"stop", Action::stop, "end the daemon, and wait until it has ended",
       "End the project's daemon and everything that it started. Return when the daemon has ended.",
       "Examples:\n  stest stop\n  stest stop --all"},
      {"start", Action::start, "start the daemon ahead of the first run",
       "Start the project's daemon if it does not run, and print its pid.", ""},
      {"restart", Action::restart, "stop, then start", "Stop the project's daemon and start a new one.", ""},
      {"logs", Action::logs, "the end of the daemon's log", "Print the last lines of the daemon's log.",
       "Examples:\n  stest logs -n 200\n  stest logs -f"},
      {"doctor", Action::doctor, "check the installation, and say how to repair it",
       "Check stest's programs, Python, pytest, whether the worker can be forked, the project's\n"
       "configuration and state folder, and the machine's limits. A running daemon is not disturbed, and "
       "none is started.\n"
       "Exit code 0: it works, though there may be warnings. 113: something must be repaired.",
       "Examples:\n  stest doctor\n  stest doctor --json"},
      {"completions", Action::completions, "print a script with which a shell completes command lines",
       "Print a script for a shell. It completes commands, options and files, and after `FILE::`\n"
       "the node ids of earlier runs.",
       "Examples:\n"
       "  eval \"$(stest completions bash)\"       in ~/.bashrc\n"
       "  eval \"$(stest completions zsh)\"        in ~/.zshrc, after compinit\n"
       "  stest completions fish | source        in ~/.config/fish/config.fish"},
      {"man", Action::man, "print the man page", "Print the man page, in roff.",
       "Examples:\n  stest man | man -l -"},
      {"help", Action::help, "this text, or the help of a command",
       "Print the help of stest, or of a command.", "Examples:\n  stest help\n  stest help run"},
      {"version", Action::version, "stest's version",
       "Print the version of stest, how it was built, its worker and its Python.", ""},
  };
  return table;
}

const std::vector<HelpSection>& help_sections() {
  static const std::vector<HelpSection> sections{
      {"Usage",
       "SYNOPSIS",
       48,
       {
           {"stest [PYTEST ARGUMENTS...]", "every argument goes to pytest"},
           {"stest run [OPTIONS] [PYTEST ARGUMENTS...]", "the same, with options of stest"},
           {"stest python [ARGUMENTS OF PYTHON...]", "`python`, warm"},
           {"stest COMMAND [OPTIONS]", ""},
       },
       ""},
      {"Commands (as the first argument)", "COMMANDS", 15, command_rows(),
       "`stest COMMAND --help` shows more. If a file or folder has the name of a command,\n"
       "write its path: stest ./run"},
      {"Options (as the first argument)",
       "OPTIONS",
       14,
       {
           {"-h, --help", "this text; for pytest's help: stest run -- --help"},
           {"--version", "stest's version; for pytest's version: stest run -- --version"},
       },
       ""},
      {"Examples",
       "EXAMPLES",
       36,
       {
           {"stest", "all tests"},
           {"stest tests/test_model.py::test_loss -x", ""},
           {"stest -k tokenizer --lf", ""},
           {"stest run --stuck-after 5m tests -q", ""},
           {"stest verify tests/test_model.py", "compare with plain pytest"},
           {"stest status", ""},
       },
       ""},
      {"Exit codes",
       "EXIT STATUS",
       8,
       {
           {"0-5",
            "pytest's: 0 passed, 1 failed, 2 interrupted, 3 internal error, 4 usage error,\n5 no tests"},
           {"100", "a bug in stest"},
           {"101", "a command line that stest does not understand"},
           {"102", "an invalid [tool.sprintest] key or SPRINTEST_* variable"},
           {"103",
            "the daemon ended during the run; with --events and in commands: no daemon can be used;\n"
            "the Python of this environment is gone; the disk for the output is full"},
           {"104", "the worker died while the tests ran"},
           {"105", "the process that ran the tests died before pytest finished"},
           {"106", "the same, killed from outside: mostly out of memory"},
           {"107", "the run was ended by `stest cancel` or `stest stop` before pytest finished"},
           {"108",
            "`stest status`, `stest logs`: there is no daemon; `stest cancel`: there is no such run;\n"
            "`stest last`, `stest history`, `stest run --failed`: nothing is on record"},
           {"109", "`stest verify`: the warm and the cold run differ"},
           {"110", "`stest run --no-wait`: other runs are going on"},
           {"111", "the run was silent for longer than hang_timeout, and was ended"},
           {"112", "`stest verify`, `stest run --events`: only a cold run can be right, and none was made"},
           {"113", "`stest doctor`: something must be repaired"},
       },
       "On SIGTERM (`timeout 60 stest`), stest shows the running test, its duration and its stack. Then\n"
       "it ends the run, and itself by the signal (143 in a shell). Another SIGTERM ends it at once."},
      {"Environment variables (each overrides its key in [tool.sprintest], if it has one)",
       "ENVIRONMENT",
       26,
       {
           {"SPRINTEST_DIR", "the folder of the daemon's files (.sprintest in the project's root)"},
           {"SPRINTEST_LOCK_FILE", "its lock (daemon.lock in that folder)"},
           {"SPRINTEST_LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR"},
           {"SPRINTEST_ISOLATION", "fork: each run is a separate process; resident: one for all (fork)"},
           {"SPRINTEST_RELOAD", "has no effect"},
           {"SPRINTEST_TARGET_PKG, SPRINTEST_TARGET_PKG_PATH",
            "name and folder of the package under development"},
           {"SPRINTEST_STUCK_AFTER", "silence after which stest shows the running test (30s)"},
           {"SPRINTEST_HANG_TIMEOUT", "silence after which a run is ended (none)"},
           {"SPRINTEST_IDLE_TIMEOUT", "idle time after which the daemon ends (2h)"},
           {"SPRINTEST_WORKER_TIMEOUT", "time for the worker to answer, or to import one module (5m)"},
           {"SPRINTEST_CONCURRENCY", "how many runs may go on at the same time (as many as processors)"},
           {"SPRINTEST_MEMORY_LIMIT", "the most memory that the worker may hold (none)"},
           {"SPRINTEST_PRIME", "no: collect no tests ahead of the next request (yes)"},
           {"SPRINTEST_WAIT_FOR_WORKER", "yes: wait while the worker imports, instead of running cold (no)"},
           {"SPRINTEST_VERIFY_FAILURES", "yes: check failures in a cold run before the result is final (no)"},
           {"SPRINTEST_FORCE_TCP, SPRINTEST_PORT",
            "serve on 127.0.0.1 instead of a Unix socket; its port (8000)"},
           {"SPRINTEST_PYTHON", "the Python that runs the tests, or its environment (stest's own)"},
           {"SPRINTEST_REPORT", "brief or full: see `stest run --report` (brief for coding agents)"},
           {"NO_COLOR, FORCE_COLOR, PY_COLORS",
            "colour in stest's lines, as in pytest's; --color=WHEN comes first"},
           {"AI_AGENT, AMP_CURRENT_THREAD_ID, ANTIGRAVITY_AGENT, AUGMENT_AGENT, CLAUDECODE,\n"
            "CLINE_ACTIVE, CODEX_CI, CODEX_SANDBOX, CODEX_THREAD_ID, COPILOT_CLI, CURSOR_AGENT,\n"
            "GEMINI_CLI, GOOSE_TERMINAL, OPENCODE, PI_CODING_AGENT",
            "set by coding agents: --report=brief, if no option of pytest shapes\n"
            "the output; --plain, if stdout is not a terminal and nothing asks for\ncolour"},
       },
       ""},
  };
  return sections;
}

const CommandInfo* find_command(std::string_view name) {
  for (const auto& command : command_table()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

std::string_view what_stest_does() {
  return "stest runs pytest in a process that has already done the slow imports.";
}

std::string help_text() {
  std::string text(what_stest_does());
  text += "\n";
  for (const auto& section : help_sections()) {
    text.append("\n").append(section.title).append(":\n");
    for (const auto& row : section.rows) text += row_text(row, section.width);
    if (!section.note.empty()) text.append(section.note).append("\n");
  }
  return text;
}

}  // namespace stest
