#include "cli/command_line/completions.hpp"

#include <algorithm>

#include "cli/command_line/command_app.hpp"

namespace stest {
namespace {

using Words = std::vector<std::string>;

std::string join(const Words& words, const std::string& between) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string in_quotes_of_shell(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

Words all_commands() {
  Words names;
  for (const auto& command : command_table()) names.emplace_back(command.name);
  return names;
}

/// What may be written for an option or argument; empty if it is a flag, or if only the user knows.
Words values_of(const OptionInfo& option) {
  if (option.names.front() == "COMMAND") return all_commands();
  Words values;
  if (option.value.find('|') == option.value.npos) return values;
  for (std::size_t start = 0, end; start <= option.value.size(); start = end + 1) {
    end = std::min(option.value.find('|', start), option.value.size());
    values.push_back(option.value.substr(start, end - start));
  }
  return values;
}

bool takes_pytest_arguments(const CommandInfo& command) {
  return command.action == Action::run || command.action == Action::verify;
}

// ---- bash: cases of "COMMAND:PREVIOUS WORD", which say what may come next

std::string bash_case(const std::string& pattern, const Words& words) {
  return "    " + pattern + ") candidates='" + join(words, " ") + "' ;;\n";
}

std::string bash_cases(const CommandInfo& command) {
  const std::string name(command.name);
  std::string values;
  Words after{name + ":" + name};  // The words after which an option may come.
  Words candidates;
  for (const auto& option : options_of(command)) {
    if (option.is_positional()) {
      for (const auto& value : values_of(option)) candidates.push_back(value);
      continue;
    }
    Words patterns;
    for (const auto& word : option.names) patterns.push_back(name + ":" + word);
    candidates.insert(candidates.end(), option.names.begin(), option.names.end());
    if (!option.value.empty()) {
      values += bash_case(join(patterns, " | "), values_of(option));
    } else {
      after.insert(after.end(), patterns.begin(), patterns.end());
    }
  }
  return values + bash_case(takes_pytest_arguments(command) ? join(after, " | ") : name + ":*", candidates);
}

std::string bash_script() {
  std::string script = R"sh(# Completion of stest for bash, made by `stest completions bash`.
_stest() {
  local line=${COMP_LINE:0:COMP_POINT} candidates= id
  local word=${line##*[[:space:]]}
  word=${word//\\/}
  if [[ $word == *::* ]]; then
    # If ":" separates words, bash replaces only what follows the last one.
    local kept=
    [[ $COMP_WORDBREAKS == *:* ]] && kept=${word%"${word##*:}"}
    while IFS= read -r id; do
      COMPREPLY+=("$(printf %q "${id#"$kept"}")")
    done < <("$1" __nodeids "$word" 2>/dev/null)
    return
  fi
  ((COMP_CWORD == 1)) && candidates='COMMANDS'
  ((COMP_CWORD == 1)) || case ${COMP_WORDS[1]}:$3 in
CASES  esac
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$2")
  ((COMP_CWORD == 1)) && [[ $word != -* ]] || return
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$2")
  compopt -o filenames
}
complete -o default -F _stest stest
)sh";
  std::string cases;
  for (const auto& command : command_table()) cases += bash_cases(command);
  script = replaced(script, "COMMANDS", join(all_commands(), " ") + " --help --version");
  return replaced(script, "CASES", cases);
}

// ---- zsh

/// A description in a specification of `_arguments` or `_describe`.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') result += '\\';
    result += letter;
  }
  return result;
}

std::string zsh_value(const OptionInfo& option) {
  const auto values = values_of(option);
  const auto label = ":" + (option.is_positional() ? option.names.front() : option.value) + ":";
  return values.empty() ? label : label + "(" + join(values, " ") + ")";
}

std::string zsh_arguments(const CommandInfo& command) {
  std::string text = "    " + std::string(command.name) + ") _arguments -s -A '-*'";
  for (const auto& option : options_of(command)) {
    if (option.is_positional()) {
      text += " " + in_quotes_of_shell(zsh_value(option));
      continue;
    }
    for (const auto& name : option.names) {
      text += " " + in_quotes_of_shell(name + "[" + zsh_text(option.description) + "]" +
                                       (option.value.empty() ? "" : zsh_value(option)));
    }
  }
  return text + (takes_pytest_arguments(command) ? " '*:: :_stest_pytest'" : "") + " ;;\n";
}

std::string zsh_script() {
  std::string entries;
  std::string cases;
  for (const auto& command : command_table()) {
    const auto entry = std::string(command.name) + ":" + zsh_text(std::string(command.summary));
    entries += "    " + in_quotes_of_shell(entry) + "\n";
    cases += zsh_arguments(command);
  }
  const std::string script = R"sh(#compdef stest
# Completion of stest for zsh, made by `stest completions zsh`.
_stest_pytest() {
  local word=${(Q)PREFIX}
  if [[ $word != *::* ]]; then
    _files
    return
  fi
  local -a ids=("${(@f)$($stest __nodeids $word 2>/dev/null)}")
  compadd -- $ids
}
_stest() {
  local stest=$words[1]
  local -a commands=(
COMMANDS  )
  if ((CURRENT == 2)); then
    [[ $PREFIX == *::* ]] || _describe command commands
    _stest_pytest
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
CASES    *) _stest_pytest ;;
  esac
}
if [[ $funcstack[1] == _stest ]]; then
  _stest "$@"
else
  compdef _stest stest
fi
)sh";
  return replaced(replaced(script, "CASES", cases), "COMMANDS", entries);
}

// ---- fish

std::string fish_line(const std::string& after, const std::string& what, std::string_view description) {
  return "complete -c stest -n " + in_quotes_of_shell("__stest_after " + after) + " " + what + " -d " +
         in_quotes_of_shell(std::string(description)) + "\n";
}

std::string fish_option(const CommandInfo& command, const OptionInfo& option) {
  std::string what;
  for (const auto& name : option.names) {
    if (option.is_positional()) break;
    what += name[1] == '-' ? "-l " + name.substr(2) + " " : "-s " + name.substr(1) + " ";
  }
  const auto values = values_of(option);
  if (option.is_positional() && values.empty()) return {};
  if (!values.empty()) what += "-a " + in_quotes_of_shell(join(values, " ")) + " ";
  if (!option.value.empty() || !values.empty()) what += "-x";
  return fish_line(std::string(command.name), what, option.description);
}

std::string fish_script() {
  std::string script = R"sh(# Completion of stest for fish, made by `stest completions fish`.
function __stest_after # The command that has been written, or ""
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"
end
function __stest_node_ids
    set -l words (commandline -opc)
    set -l word (commandline -ct | string unescape)
    string match -q '*::*' -- $word; and $words[1] __nodeids $word 2>/dev/null
end
complete -c stest -a '(__stest_node_ids)'
)sh";
  for (const auto& command : command_table()) {
    script += fish_line("\"\"", "-a " + std::string(command.name), command.summary);
    for (const auto& option : options_of(command)) script += fish_option(command, option);
  }
  return script;
}

}  // namespace

std::string completions(Shell shell) {
  switch (shell) {
    case Shell::bash:
      return bash_script();
    case Shell::zsh:
      return zsh_script();
    case Shell::fish:
      return fish_script();
  }
  return {};
}

}  // namespace stest
