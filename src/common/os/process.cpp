#include "common/os/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <string_view>

namespace stest {
namespace {

namespace fs = std::filesystem;

/// The fields of /proc/PID/stat that stest reads.
struct ProcStat {
  char state = 0;
  int parent = 0;
  int group = 0;
  int session = 0;
  std::uint64_t start_time = 0;
};

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t begin = text.find_first_not_of(" \n"); begin != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(" \n", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(" \n", end);
  }
  return words;
}

/// The first 64 KiB of a file in /proc; empty if it cannot be read.
std::string read_proc(int pid, std::string_view file) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + std::string(file);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  while (fd && text.size() < 65536) {
    const Result<ReadResult> read = read_some(fd.get(), 4096);
    if (!read || read->data.empty()) break;
    text += read->data;
    if (read->data.size() < 4096) break;
  }
  return text;
}

/// The fields begin after the last ')', because the name before it may contain anything.
std::optional<ProcStat> read_stat(int pid) {
  const std::string text = read_proc(pid, "stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == text.npos) return std::nullopt;
  const std::vector<std::string_view> fields = split_words(std::string_view(text).substr(name_end + 1));
  if (fields.size() < 20) return std::nullopt;
  const auto parent = parse_number<int>(fields[1]);
  const auto group = parse_number<int>(fields[2]);
  const auto session = parse_number<int>(fields[3]);
  const auto start_time = parse_number<std::uint64_t>(fields[19]);
  if (!parent || !group || !session || !start_time) return std::nullopt;
  return ProcStat{fields[0][0], *parent, *group, *session, *start_time};
}

std::optional<ProcStat> read_living_stat(int pid) {
  std::optional<ProcStat> stat = read_stat(pid);
  if (stat && (stat->state == 'Z' || stat->state == 'X')) stat.reset();
  return stat;
}

/// Calls `use` with each entry of `folder` whose name is a number.
template <class Use>
void for_each_number(const std::string& folder, Use use) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto number = parse_number<int>(entry->path().filename().native())) use(*number);
  }
}

template <class Use>
void for_each_living(Use use) {
  for_each_number("/proc", [&](int pid) {
    if (const auto stat = read_living_stat(pid)) use(pid, *stat);
  });
}

/// For kernels without /proc/PID/task/TID/children.
std::vector<int> children_by_scan(int parent) {
  std::vector<int> children;
  for_each_number("/proc", [&](int pid) {
    if (const auto stat = read_stat(pid); stat && stat->parent == parent) children.push_back(pid);
  });
  return children;
}

}  // namespace

std::optional<ProcessIdentity> identify(int pid) {
  const std::optional<ProcStat> stat = read_living_stat(pid);
  if (!stat) return std::nullopt;
  return ProcessIdentity{pid, stat->start_time};
}

bool is_alive(const ProcessIdentity& identity) { return identify(identity.pid) == identity; }

std::vector<ProcessView> living_processes() {
  std::vector<ProcessView> all;
  for_each_living([&](int pid, const ProcStat& stat) {
    all.push_back({{pid, stat.start_time}, stat.parent, stat.group, stat.session});
  });
  return all;
}

std::vector<int> children_of(int pid) {
  static const bool are_listed = ::access("/proc/thread-self/children", F_OK) == 0;
  if (!are_listed) return children_by_scan(pid);
  std::vector<int> children;
  for_each_number("/proc/" + std::to_string(pid) + "/task", [&](int thread) {
    const std::string text = read_proc(pid, "task/" + std::to_string(thread) + "/children");
    for (const auto word : split_words(text)) {
      if (const auto child = parse_number<int>(word)) children.push_back(*child);
    }
  });
  return children;
}

int parent_of(int pid) {
  const auto stat = read_stat(pid);
  return stat ? stat->parent : 0;
}

std::string command_line(int pid) {
  std::string text = read_proc(pid, "cmdline");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (!text.empty()) return text;
  std::string name = read_proc(pid, "comm");
  if (!name.empty()) name.pop_back();  // The newline.
  return "[" + name + "]";
}

std::vector<ProcessView> living_descendants(int pid) {
  std::multimap<int, ProcessView> children;
  for (const ProcessView& view : living_processes()) children.emplace(view.parent, view);
  std::vector<ProcessView> found;
  const auto add_children = [&](int parent) {
    const auto [begin, end] = children.equal_range(parent);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
    children.erase(begin, end);  // A pid that is reused while /proc is read could cause a cycle.
  };
  add_children(pid);
  for (std::size_t i = 0; i < found.size(); ++i) add_children(found[i].identity.pid);
  return found;
}

std::vector<int> descendants(int pid) {
  std::vector<int> pids;
  for (const ProcessView& view : living_descendants(pid)) pids.push_back(view.identity.pid);
  return pids;
}

std::optional<BlockedCall> blocked_call(int pid) {
  const std::string text = read_proc(pid, "syscall");
  const std::vector<std::string_view> words = split_words(text);  // "0 0x3 …", "-1 …" or "running"
  const auto number = words.empty() ? std::nullopt : parse_number<long>(words[0]);
  if (!number) return std::nullopt;
  BlockedCall call{*number, 0};
  if (words.size() > 1 && words[1].starts_with("0x"))
    std::from_chars(words[1].data() + 2, words[1].data() + words[1].size(), call.first_argument, 16);
  return call;
}

std::optional<std::uint64_t> resident_memory(int pid) {
  const std::string text = read_proc(pid, "statm");
  const std::vector<std::string_view> fields = split_words(text);
  const auto pages = fields.size() > 1 ? parse_number<std::uint64_t>(fields[1]) : std::nullopt;
  if (!pages || *pages == 0) return std::nullopt;  // A zombie has no memory left.
  return *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> proportional_memory(int pid) {
  constexpr std::string_view label = "\nPss:";
  const std::string text = read_proc(pid, "smaps_rollup");
  const std::size_t found = text.find(label);
  if (found == text.npos) return resident_memory(pid);
  const std::vector<std::string_view> words =
      split_words(std::string_view(text).substr(found + label.size(), 40));
  const auto kibibytes = words.empty() ? std::nullopt : parse_number<std::uint64_t>(words[0]);
  return kibibytes ? std::optional(*kibibytes * 1024) : resident_memory(pid);
}

std::string mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

/// glibc has `sigabbrev_np` from 2.32 on only.
std::string signal_name(int signal) {
  static const std::map<int, const char*> names{
      {SIGHUP, "HUP"},       {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},   {SIGTRAP, "TRAP"},
      {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},
      {SIGSEGV, "SEGV"},     {SIGUSR2, "USR2"}, {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
      {SIGSTKFLT, "STKFLT"}, {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"}, {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},
      {SIGTTIN, "TTIN"},     {SIGTTOU, "TTOU"}, {SIGURG, "URG"},   {SIGXCPU, "XCPU"}, {SIGXFSZ, "XFSZ"},
      {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGIO, "POLL"},   {SIGPWR, "PWR"},   {SIGSYS, "SYS"},
      {SIGWINCH, "WINCH"},
  };
  const auto name = names.find(signal);
  return name != names.end() ? std::string("SIG") + name->second : "signal " + std::to_string(signal);
}

fs::path executable_folder() {
  std::error_code error;
  const auto own = fs::read_symlink("/proc/self/exe", error);
  if (!error) return own.parent_path();
  // Without /proc: the path that was executed.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  const auto* executed = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  return executed == nullptr ? fs::path() : fs::canonical(executed, error).parent_path();
}

Environment current_environment() {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) continue;
    // If a name occurs twice, the first one counts, as in getenv().
    env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

}  // namespace stest
