#include "cli/command_line/command_app.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "common/config/setting_values.hpp"

namespace stest {
namespace {

/// A check as CLI11 wants it: returns the error, or nothing. Unlike CLI11's own ones, it adds nothing to the
/// help.
std::string is_duration(const std::string& text) {
  if (parse_duration({text, text, true})) return {};
  return "not a duration such as 30s, 5m or 2h: " + text;
}

CLI::ValidationError invalid(const std::string& text, const std::string& what) {
  return {"'" + text + "' is not " + what, CLI::ExitCodes::ValidationError};
}

/// Decimal, unlike CLI11's numbers: for those "010" is 8, and a number that is too large is another one.
template <class Number>
void set_number(Number& target, const std::string& text, Number low, Number high, const std::string& what) {
  Number number{};
  const auto* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && last == end && number >= low && number <= high) {
    target = number;
  } else {
    throw invalid(text, what);
  }
}

void set_run(CancelOptions& cancel, const std::string& text) {
  std::uint64_t id = 0;
  set_number<std::uint64_t>(id, text, 1, UINT64_MAX, "the number of a run");
  cancel.id = id;
}

void set_past_run(Options& options, const std::string& text) {
  std::int64_t id = 0;
  set_number<std::int64_t>(id, text, 1, INT64_MAX, "the number of a run");
  options.past_run = id;
}

/// `values` is "a|b|c".
CLI::Option* add_choice(CLI::App& app, const char* names, const std::string& values,
                        const std::function<void(std::size_t)>& choose, const std::string& description) {
  const auto known = CLI::detail::split(values, '|');
  const auto set = [known, choose](const std::string& text) {
    const auto found = std::find(known.begin(), known.end(), text);
    if (found == known.end()) throw invalid(text, "one of " + CLI::detail::join(known, ", "));
    choose(static_cast<std::size_t>(found - known.begin()));
  };
  return app.add_option_function<std::string>(names, set, description)->type_name(values);
}

void add_run_options(CLI::App& app, RunOptions& run) {
  app.add_flag("--events", run.events,
               "Print the run's events as JSON lines on stdout instead of showing them");
  app.add_option("--stuck-after", run.stuck_after, "Warn after this time of silence, such as 90s or 5m")
      ->type_name("DURATION")
      ->check(is_duration);
  app.add_flag("--no-wait", run.no_wait, "If other runs are going on, fail at once with exit code 110");
  app.add_flag("--plain", run.plain, "Print only text, without escape sequences")->excludes("--events");
  add_choice(
      app, "--report", "brief|full|json|ndjson",
      [&run](std::size_t report) {
        run.report = static_cast<Report>(report);
        run.events = *run.report >= Report::json;
      },
      "brief: one line if all is well, else each cause once; full: what pytest shows;\n"
      "json: one object (docs/report.schema.json); ndjson: as --events")
      ->excludes("--events");
  app.add_flag("--timings", run.timings, "Print on stderr where the time went, stage by stage, in ms")
      ->excludes("--events");
  app.add_option("--python", run.python, "The Python that runs the tests, or its virtual environment")
      ->type_name("PATH");
  app.add_flag(
      "--ray{auto}", run.ray,
      "Run pytest-xdist's workers on a Ray cluster: at the address after an equals sign, else a local one");
  app.add_flag("--failed", run.failed, "Run what failed in the last run on record, with the arguments given");
  app.add_flag("--cold", run.cold, "Run `python -m pytest` itself: no daemon, nothing warm")
      ->excludes("--events")
      ->excludes("--no-wait")
      ->excludes("--plain")
      ->excludes("--stuck-after")
      ->excludes("--timings");
}

void add_cancel_options(CLI::App& app, CancelOptions& cancel) {
  app.add_option_function<std::string>(
         "ID", [&cancel](const std::string& text) { set_run(cancel, text); },
         "The number of the run to end; by default the one that is running")
      ->type_name("");
  add_choice(
      app, "--how", "interrupt|terminate|kill",
      [&cancel](std::size_t how) { cancel.how = static_cast<CancelHow>(how); },
      "By default interrupt, as Ctrl-C does: pytest tears down and reports");
}

void add_logs_options(CLI::App& app, Options& options) {
  app.add_flag("-f,--follow", options.follow, "Keep printing new lines until Ctrl-C");
  app.add_option_function<std::string>(
         "-n,--lines",
         [&options](const std::string& text) {
           set_number(options.lines, text, 0, 1'000'000, "a number of lines from 0 to 1000000");
         },
         "How many of the last lines to print, by default " + std::to_string(options.lines))
      ->type_name("LINES");
}

void add_options(CLI::App& app, Options& options) {
  switch (options.action) {
    case Action::run:
      return add_run_options(app, options.run);
    case Action::status:
      app.add_flag("--modules", options.modules, "With --json: list all preloaded modules")
          ->needs(app.add_flag("--json", options.json, "Print the daemon's status as JSON"));
      return;
    case Action::last:
      app.add_flag("--failed", options.failed, "Only what failed, each failure in full");
      app.add_flag("--json", options.json, "Print the report as JSON (docs/report.schema.json)");
      app.add_option_function<std::string>(
             "ID", [&options](const std::string& text) { set_past_run(options, text); },
             "The number of a run in `stest history`; by default the last one")
          ->type_name("");
      return;
    case Action::history:
      app.add_option("TEST", options.text, "A node id, or a part of it; without it, the last runs")
          ->type_name("");
      return;
    case Action::ps:
      app.add_flag("--json", options.json, "Print the list as JSON");
      return;
    case Action::stop:
      app.add_flag("--all", options.all, "End all your daemons on this machine, of any project");
      return;
    case Action::cancel:
      return add_cancel_options(app, options.cancel);
    case Action::doctor:
      app.add_flag("--json", options.json, "Print the findings as JSON");
      return;
    case Action::logs:
      return add_logs_options(app, options);
    case Action::help:
      app.add_option("COMMAND", options.text, "The command; without one, the help of stest")->type_name("");
      return;
    case Action::completions:
      add_choice(
          app, "SHELL", "bash|zsh|fish",
          [&options](std::size_t shell) { options.shell = static_cast<Shell>(shell); }, "The shell")
          ->required();
      return;
    default:
      return;
  }
}

/// The usage line of the commands that take pytest's arguments, which CLI11 does not know; and options
/// without what they exclude, and without the value of a flag that has none.
class CommandFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (app->get_name() == "stest run") return "Usage: stest run [OPTIONS] [PYTEST ARGUMENTS...]\n";
    if (app->get_name() == "stest python") return "Usage: stest python [ARGUMENTS OF PYTHON...]\n";
    if (app->get_name() == "stest verify") return "Usage: stest verify [PYTEST ARGUMENTS...]\n";
    return CLI::Formatter::make_usage(app, name);
  }
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const auto name = CLI::Formatter::make_option_name(option, is_positional);
    return name.substr(0, name.find('{'));
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    const auto value = takes_value(*option) ? option->get_type_name() : "";
    return value.empty() ? "" : " " + value;
  }
};

OptionInfo info(const CLI::Option& option) {
  OptionInfo info;
  for (const auto& name : option.get_snames()) info.names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) info.names.push_back("--" + name);
  if (info.names.empty()) info.names.push_back(option.get_name(true));
  if (takes_value(option)) info.value = option.get_type_name();
  info.description = option.get_description();
  return info;
}

}  // namespace

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::unique_ptr<CLI::App> command_app(const CommandInfo& command, Options& options) {
  options.action = command.action;
  auto app =
      std::make_unique<CLI::App>(std::string(command.description), "stest " + std::string(command.name));
  app->formatter(std::make_shared<CommandFormatter>());
  app->footer(std::string(command.footer));
  app->allow_extras();
  app->set_help_flag("-h,--help", "Print this help");
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_options(*app, options);
  return app;
}

std::vector<OptionInfo> options_of(const CommandInfo& command) {
  Options ignored;
  const auto app = command_app(command, ignored);
  std::vector<OptionInfo> options;
  for (const auto* option : app->get_options()) options.push_back(info(*option));
  return options;
}

}  // namespace stest
