#include "common/process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

namespace stest {
namespace {

namespace fs = std::filesystem;

/// What stest reads of /proc/PID/stat.
struct ProcStat {
  char state = 0;
  int parent = 0;
  int group = 0;
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

/// The start of a file of /proc, empty where it cannot be read. All that stest reads there is short.
std::string read_proc(int pid, std::string_view file) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + std::string(file);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  Result<ReadResult> read = read_some(fd.get(), 4096);
  return read ? std::move(read->data) : std::string();
}

/// Fields are counted from behind the last ')': the name before it may hold anything.
std::optional<ProcStat> read_stat(int pid) {
  const std::string text = read_proc(pid, "stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == text.npos) return std::nullopt;
  const std::vector<std::string_view> fields = split_words(std::string_view(text).substr(name_end + 1));
  if (fields.size() < 20) return std::nullopt;
  const auto parent = parse_number<int>(fields[1]);
  const auto group = parse_number<int>(fields[2]);
  const auto start_time = parse_number<std::uint64_t>(fields[19]);
  if (!parent || !group || !start_time) return std::nullopt;
  return ProcStat{fields[0][0], *parent, *group, *start_time};
}

std::optional<ProcStat> read_living_stat(int pid) {
  std::optional<ProcStat> stat = read_stat(pid);
  if (stat && (stat->state == 'Z' || stat->state == 'X')) stat.reset();
  return stat;
}

template <class Use>
void for_each_living(Use use) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto pid = parse_number<int>(entry->path().filename().native());
    if (const auto stat = pid ? read_living_stat(*pid) : std::nullopt) use(*pid, *stat);
  }
}

std::multimap<int, int> living_children_by_parent() {
  std::multimap<int, int> children;
  for_each_living([&](int pid, const ProcStat& stat) { children.emplace(stat.parent, pid); });
  return children;
}

}  // namespace

std::optional<ProcessIdentity> identify(int pid) {
  const std::optional<ProcStat> stat = read_living_stat(pid);
  if (!stat) return std::nullopt;
  return ProcessIdentity{pid, stat->start_time};
}

bool is_alive(const ProcessIdentity& identity) { return identify(identity.pid) == identity; }

std::vector<int> descendants(int pid) {
  const std::multimap<int, int> children = living_children_by_parent();
  std::vector<int> found{pid};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) {
      // A pid that was reused while /proc was read could close a circle.
      if (std::find(found.begin(), found.end(), child->second) == found.end()) found.push_back(child->second);
    }
  }
  found.erase(found.begin());
  return found;
}

std::vector<int> members_of_group(int group) {
  std::vector<int> members;
  for_each_living([&](int pid, const ProcStat& stat) {
    if (stat.group == group) members.push_back(pid);
  });
  return members;
}

std::optional<std::uint64_t> resident_memory(int pid) {
  const std::string text = read_proc(pid, "statm");
  const std::vector<std::string_view> fields = split_words(text);
  const auto pages = fields.size() > 1 ? parse_number<std::uint64_t>(fields[1]) : std::nullopt;
  if (!pages || *pages == 0) return std::nullopt;  // A zombie has no memory left.
  return *pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string signal_name(int signal) {
  const char* abbreviation = ::sigabbrev_np(signal);
  return abbreviation != nullptr ? std::string("SIG") + abbreviation : "signal " + std::to_string(signal);
}

fs::path executable_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

Environment current_environment() {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) continue;
    env.emplace(text.substr(0, equals), text.substr(equals + 1));  // Of two, getenv() takes the first.
  }
  return env;
}

}  // namespace stest
