#include "cli/command_line/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "cli/command_line/command_app.hpp"
#include "cli/command_line/completions.hpp"
#include "cli/command_line/help.hpp"
#include "cli/command_line/man_page.hpp"
#include "common/config/near_miss.hpp"
#include "common/os/process.hpp"
#include "common/os/python_executable.hpp"
#include "common/os/read_file.hpp"
#include "common/os/runtime_paths.hpp"
#include "common/os/worker_host.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

using Arguments = std::vector<std::string>;

// ---- texts

/// A command line that can be copied into a shell.
std::string command_line(const std::string& start, const Arguments& args) {
  constexpr auto harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
  std::string line = start;
  for (const auto& arg : args) {
    if (!arg.empty() && arg.find_first_not_of(harmless) == arg.npos) {
      line += " " + arg;
      continue;
    }
    line += " '";
    for (const char letter : arg) line += letter == '\'' ? "'\\''" : std::string(1, letter);
    line += "'";
  }
  return line;
}

std::string see_help(const CommandInfo& command) {
  return "see `stest " + std::string(command.name) + " --help`";
}

std::string did_you_mean(const std::string& name) { return "; did you mean `" + name + "`?"; }

/// The first line is the version alone, for programs that read it.
std::string version_text() {
  const auto folder = executable_folder();
  const auto python = python_executable(folder, current_environment());
  const auto host = worker_host(folder, python);
  const std::string worker = host.is_python() ? host.python.string() + ", which loads stest"
                                              : host.executable.string() + ", which embeds Python";
  return "stest " + std::string(stest_version()) + "\n" +  //
         "program  " + (folder / "stest").string() + ", " + std::string(stest_origin()) + "\n" + "worker   " +
         worker + "\n" +  //
         "Python   " + std::string(python_version()) + ", " + python.string() + "\n";
}

Options printing(std::string text) {
  Options options;
  options.action = Action::print;
  options.text = std::move(text);
  return options;
}

// ---- options of a command

/// "--name" of "--name=value".
std::string option_name(const std::string& word) { return word.substr(0, word.find('=')); }

/// Null if the word is no option of the command.
const CLI::Option* find_option(const CLI::App& app, const std::string& word) {
  return word.size() > 1 && word[0] == '-' ? app.get_option_no_throw(option_name(word)) : nullptr;
}

/// How many words, from the first one on, are options of the command and their values.
std::ptrdiff_t count_own(const CLI::App& app, const Arguments& args) {
  auto word = args.begin();
  while (word != args.end()) {
    const auto* option = find_option(app, *word);
    if (!option) break;
    const bool has_value = takes_value(*option) && word->find('=') == word->npos;
    ++word;
    if (has_value && word != args.end() && *word != "--") ++word;
  }
  return word - args.begin();
}

/// Divides the arguments of `stest run`: the options of stest, and what goes to pytest. The first "--"
/// between them belongs to neither.
std::pair<Arguments, Arguments> split_run(const CLI::App& app, const Arguments& args) {
  const auto own_end = args.begin() + count_own(app, args);
  const bool has_dashes = own_end != args.end() && *own_end == "--";
  return {Arguments(args.begin(), own_end), Arguments(own_end + (has_dashes ? 1 : 0), args.end())};
}

/// The option of the command that the word is a misspelling of; empty if there is none.
std::string misspelt_option(const CommandInfo& command, const std::string& word) {
  if (word.rfind("--", 0) != 0) return {};
  std::vector<std::string> names;
  for (const auto& option : options_of(command)) {
    for (const auto& name : option.names) {
      if (name.rfind("--", 0) == 0) names.push_back(name);
    }
  }
  return near_miss(option_name(word), names);
}

tl::unexpected<Error> unknown_argument(const CommandInfo& command, const std::string& word,
                                       const std::string& hint) {
  auto message = "unknown argument '" + word + "' of stest " + std::string(command.name);
  if (const auto meant = misspelt_option(command, word); !meant.empty()) message += did_you_mean(meant);
  return fail(ErrorCode::usage, std::move(message), hint);
}

/// CLI11's errors without its own terms. The first two begin with "--name: " and "Could not convert: --name
/// ".
std::string in_plain_words(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (error.get_name() == "ArgumentMismatch") return text.substr(0, text.find(':')) + " needs a value";
  if (error.get_name() != "ConversionError") return text;
  const auto start = std::min(text.find("--"), text.size());
  return text.substr(start, text.find(' ', start) - start) + " takes no value";
}

// ---- commands

/// The command that the word is a misspelling of; empty if there is none.
std::string near_command(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& command : command_table()) names.emplace_back(command.name);
  return near_miss(word, names);
}

Result<Options> help_of(const std::string& name) {
  if (name.empty()) return printing(help_text());
  if (const auto* command = find_command(name)) {
    Options ignored;
    return printing(command_app(*command, ignored)->help());
  }
  const auto meant = near_command(name);
  return fail(
      ErrorCode::usage,
      "stest has no command '" + name + "'" + (meant.empty() ? "" : did_you_mean("stest help " + meant)),
      "see `stest --help`");
}

/// Turns a command that only prints into its text.
Result<Options> with_text(Options options) {
  switch (options.action) {
    case Action::help:
      return help_of(options.text);
    case Action::version:
      return printing(version_text());
    case Action::man:
      return printing(man_page());
    case Action::completions:
      return printing(completions(options.shell));
    default:
      return options;
  }
}

Result<Options> parse_own(const CommandInfo& command, CLI::App& app, Options& options, Arguments args) {
  try {
    std::reverse(args.begin(), args.end());  // CLI11 reads a vector from its end.
    app.parse(args);
  } catch (const CLI::CallForHelp&) {
    return printing(app.help());
  } catch (const CLI::ParseError& error) {
    return fail(ErrorCode::usage, in_plain_words(error), see_help(command));
  }
  const auto extras = app.remaining();
  if (!extras.empty()) return unknown_argument(command, extras.front(), see_help(command));
  return with_text(options);
}

Result<Options> parse_run(const CommandInfo& command, const Arguments& args) {
  Options options;
  const auto app = command_app(command, options);
  auto [own, rest] = split_run(*app, args);
  const bool has_dashes = own.size() + rest.size() < args.size();
  if (!has_dashes && !rest.empty() && !misspelt_option(command, rest.front()).empty()) {
    return unknown_argument(
        command, rest.front(),
        "if pytest has this option: " + command_line(command_line("stest run", own) + " --", rest));
  }
  options.run.pytest_args = std::move(rest);
  auto parsed = parse_own(command, *app, options, std::move(own));
  if (!parsed || !parsed->run.ray) return parsed;
  auto& pytest_args = parsed->run.pytest_args;
  pytest_args.insert(pytest_args.begin(), {"-p", "sprintest.ray", "--ray-address", *parsed->run.ray});
  return parsed;
}

/// `verify` has no option except `--help`; all other arguments are pytest's.
bool is_for_pytest(const CommandInfo& command, const Arguments& args) {
  return command.action == Action::verify && !args.empty() && args[0] != "-h" && args[0] != "--help";
}

Result<Options> parse_command(const CommandInfo& command, const Arguments& args) {
  if (command.action == Action::run) return parse_run(command, args);
  Options options;
  if (command.action == Action::python) {
    options.action = Action::python;
    options.python_args = args;
    return options;
  }
  const auto app = command_app(command, options);
  if (is_for_pytest(command, args)) {
    options.run.pytest_args.assign(args.begin() + (args[0] == "--" ? 1 : 0), args.end());
    return options;
  }
  return parse_own(command, *app, options, args);
}

// ---- the first word

bool exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// A command's name wins over a file of that name. A line says how the file's tests run.
std::string notice_about(const std::string& name) {
  std::error_code ignored;
  const auto* kind = std::filesystem::is_directory(name, ignored) ? "folder" : "file";
  if (!exists(name)) return {};
  return "`" + name + "` is a command of stest; to run the tests in the " + kind + " of that name: stest ./" +
         name;
}

bool mentions_pyargs(const std::string& text) { return text.find("--pyargs") != text.npos; }

/// Whether a word may be a package's name, so that no file needs to have it.
bool may_name_packages(const Arguments& args) {
  if (std::any_of(args.begin(), args.end(), mentions_pyargs)) return true;
  if (mentions_pyargs(value_of(current_environment(), "PYTEST_ADDOPTS"))) return true;
  std::error_code ignored;
  const auto root = find_project_root(std::filesystem::current_path(ignored));
  for (const auto* name : {"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pyproject.toml",
                           "tox.ini", "setup.cfg"}) {
    const auto text = read_file(root / name);
    if (text && *text && mentions_pyargs(**text)) return true;
  }
  return false;
}

/// The command that the first word is a misspelling of. Empty if there is none, or if pytest could have been
/// meant: node ids, paths and options are not only letters.
std::string misspelt_command(const Arguments& args) {
  const auto& word = args.front();
  const auto is_letter = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  };
  if (!std::all_of(word.begin(), word.end(), is_letter)) return {};
  auto meant = near_command(word);
  return meant.empty() || exists(word) || may_name_packages(args) ? std::string() : meant;
}

/// An option of `stest run`, written without `run`.
tl::unexpected<Error> option_without_run(const CLI::App& app, const Arguments& args) {
  const auto [own, rest] = split_run(app, args);
  const auto line = command_line("stest run", own);
  return fail(ErrorCode::usage, "`" + option_name(args.front()) + "` is an option of `stest run`",
              (rest.empty() ? line : command_line(line + " --", rest)) +
                  "\nif pytest has this option: " + command_line("stest run --", args));
}

Result<Options> parse_for_pytest(const Arguments& args) {
  Options options;
  if (args.empty()) return options;
  if (const auto meant = misspelt_command(args); !meant.empty()) {
    return fail(ErrorCode::usage, "stest has no command '" + args[0] + "'" + did_you_mean("stest " + meant),
                "if this is an argument for pytest: " + command_line("stest run --", args));
  }
  if (args[0].rfind("--", 0) == 0) {
    const auto app = command_app(*find_command("run"), options);
    if (find_option(*app, args[0])) return option_without_run(*app, args);
  }
  options.run.pytest_args = args;
  return options;
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& args) {
  if (args.empty()) return Options{};
  if (args[0] == "-h" || args[0] == "--help") return printing(help_text());
  if (args[0] == "--version") return printing(version_text());
  if (args[0] == "__nodeids") {
    auto options = printing(args.size() > 1 ? args[1] : std::string());
    options.action = Action::node_ids;
    return options;
  }
  const auto* command = find_command(args[0]);
  if (!command) return parse_for_pytest(args);
  auto options = parse_command(*command, Arguments(args.begin() + 1, args.end()));
  // A program gets its own output only, also in a project with a folder `python`.
  if (options && (command->action != Action::python || args.size() == 1))
    options->notice = notice_about(args[0]);
  return options;
}

}  // namespace stest
