#include "cli/command_line/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "cli/command_line/help.hpp"
#include "common/config/setting_values.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

using Arguments = std::vector<std::string>;

/// Splits at the first "--", which belongs to neither side.
std::pair<Arguments, Arguments> split_at_dashes(const Arguments& args) {
  const auto dashes = std::find(args.begin(), args.end(), "--");
  Arguments rest;
  if (dashes != args.end()) rest.assign(dashes + 1, args.end());
  return {Arguments(args.begin(), dashes), std::move(rest)};
}

/// A check as CLI11 wants it: returns the error, or nothing.
std::string is_duration(const std::string& text) {
  if (parse_duration({text, text, true})) return {};
  return "not a duration such as 30s, 5m or 2h: " + text;
}

void add_options(CLI::App& app, Options& options) {
  switch (options.action) {
    case Action::run:
      app.add_flag("--events", options.run.events,
                   "Print the run's events as JSON lines on stdout instead of showing them");
      app.add_option("--stuck-after", options.run.stuck_after,
                     "Warn after this time of silence, such as 90s or 5m")
          ->type_name("DURATION")
          ->check(is_duration);
      app.add_flag("--no-wait", options.run.no_wait,
                   "If other runs are going on, fail at once with exit code 110");
      app.add_flag("--plain", options.run.plain, "Print only text, without escape sequences");
      app.add_flag("--timings", options.run.timings,
                   "Print on stderr where the time went, stage by stage, in ms")
          ->excludes("--events");
      app.add_flag("--cold", options.run.cold, "Run `python -m pytest` itself: no daemon, nothing warm")
          ->excludes("--events")
          ->excludes("--no-wait")
          ->excludes("--plain")
          ->excludes("--stuck-after")
          ->excludes("--timings");
      app.get_option("--plain")->excludes("--events");
      break;
    case Action::status:
      app.add_flag("--json", options.json, "Print the daemon's whole status as JSON");
      break;
    case Action::cancel:
      app.add_option("ID", options.cancel.id, "The run to end; by default the one that is running")
          ->check(CLI::PositiveNumber);
      app.add_option("--how", options.cancel.how,
                     "interrupt, as Ctrl-C does: pytest tears down and reports; terminate; or kill")
          ->type_name("HOW")
          ->transform(CLI::Transformer(std::map<std::string, CancelHow>{{"interrupt", CancelHow::interrupt},
                                                                        {"terminate", CancelHow::terminate},
                                                                        {"kill", CancelHow::kill}}));
      break;
    case Action::doctor:
      app.add_flag("--json", options.json, "Print the findings as JSON");
      break;
    case Action::logs:
      app.add_flag("-f,--follow", options.follow, "Keep printing new lines until Ctrl-C");
      app.add_option("-n,--lines", options.lines, "How many of the last lines to print")
          ->type_name("LINES")
          ->check(CLI::Range(0, 1'000'000))
          ->capture_default_str();
      break;
    default:
      break;
  }
}

/// The usage line of the commands that take pytest's arguments, which CLI11 does not know.
class CommandFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    if (app->get_name() == "stest run") return "Usage: stest run [OPTIONS] -- [PYTEST ARGUMENTS...]\n\n";
    if (app->get_name() == "stest verify") return "Usage: stest verify [PYTEST ARGUMENTS...]\n\n";
    return CLI::Formatter::make_usage(app, name);
  }
};

tl::unexpected<Error> usage_error(const CommandInfo& command, const Arguments& extras, std::string message) {
  const auto see_help = "see `stest " + std::string(command.name) + " --help`";
  if (extras.empty()) return fail(ErrorCode::usage, std::move(message), see_help);
  message = "unknown argument '" + extras.front() + "' of stest " + std::string(command.name);
  if (command.action != Action::run) return fail(ErrorCode::usage, std::move(message), see_help);
  return fail(ErrorCode::usage, std::move(message),
              "pytest's arguments go after `--`: stest run -- " + extras.front());
}

/// `verify` has no option except `--help`; all other arguments are pytest's.
bool is_for_pytest(const CommandInfo& command, const Arguments& args) {
  return command.action == Action::verify && !args.empty() && args[0] != "-h" && args[0] != "--help";
}

Result<Options> parse_command(const CommandInfo& command, Arguments args) {
  Options options;
  options.action = command.action;
  if (is_for_pytest(command, args)) {
    options.run.pytest_args.assign(args.begin() + (args[0] == "--" ? 1 : 0), args.end());
    return options;
  }
  if (command.action == Action::run) std::tie(args, options.run.pytest_args) = split_at_dashes(args);

  CLI::App app{std::string(command.description), "stest " + std::string(command.name)};
  app.formatter(std::make_shared<CommandFormatter>());
  app.footer(std::string(command.footer));
  app.allow_extras();
  add_options(app, options);
  try {
    std::reverse(args.begin(), args.end());  // CLI11 reads a vector from its end.
    app.parse(args);
  } catch (const CLI::CallForHelp&) {
    options.action = Action::print;
    options.text = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    return usage_error(command, {}, error.what());
  }
  if (const auto extras = app.remaining(); !extras.empty()) return usage_error(command, extras, {});
  return options;
}

Options printing(std::string text) {
  Options options;
  options.action = Action::print;
  options.text = std::move(text);
  return options;
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& args) {
  if (!args.empty()) {
    if (args[0] == "-h" || args[0] == "--help") return printing(help_text());
    if (args[0] == "--version") return printing("stest " + std::string(stest_version()) + "\n");
    if (const auto* command = find_command(args[0])) {
      return parse_command(*command, Arguments(args.begin() + 1, args.end()));
    }
  }
  Options options;
  options.run.pytest_args = args;
  return options;
}

}  // namespace stest
