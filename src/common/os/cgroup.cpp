#include "common/os/cgroup.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <vector>

namespace stest {
namespace {

namespace fs = std::filesystem;

/// In version 1 the largest multiple of the page size means "no limit".
constexpr std::uint64_t unlimited = std::uint64_t{1} << 60;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

/// The process's path in the hierarchy; `controller` is "memory", or empty for version 2.
std::optional<std::string> path_in_hierarchy(const fs::path& cgroup_file, const std::string& controller) {
  std::ifstream file(cgroup_file);
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const bool matches =
        controller.empty() ? controllers.empty() : contains(split(controllers, ','), controller);
    if (matches) return line.substr(second + 1);
  }
  return std::nullopt;
}

struct Mount {
  fs::path root;  ///< The part of the hierarchy that is mounted.
  fs::path point;
};

/// Where the hierarchy is mounted: a line of mountinfo, "36 35 98:0 ROOT POINT OPTIONS… - TYPE SOURCE MORE".
std::optional<Mount> find_mount(const fs::path& mountinfo, const std::string& controller) {
  std::ifstream file(mountinfo);
  for (std::string line; std::getline(file, line);) {
    const auto dash = line.find(" - ");
    if (dash == line.npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    const bool matches = controller.empty()
                             ? right[0] == "cgroup2"
                             : right[0] == "cgroup" && contains(split(right[2], ','), controller);
    if (matches) return Mount{left[3], left[4]};
  }
  return std::nullopt;
}

/// The folder of a cgroup below a mount, which may show only a part of the hierarchy.
std::optional<fs::path> visible_folder(const Mount& mount, const fs::path& path) {
  const auto below = path.lexically_relative(mount.root);
  if (below.empty() || *below.begin() == "..") return std::nullopt;
  auto folder = (mount.point / below).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return std::nullopt;
  return folder;
}

/// The number with which a file begins; nothing if that is a word ("max").
template <class Number>
std::optional<Number> read_number(const fs::path& path) {
  Number number = 0;
  std::ifstream file(path);
  if (file >> number) return number;
  return std::nullopt;
}

/// The second number of a file.
std::optional<double> read_second(const fs::path& path) {
  double first = 0;
  double second = 0;
  std::ifstream file(path);
  if (file >> first >> second) return second;
  return std::nullopt;
}

/// The number after `key` in a file of "key number" lines.
std::optional<std::uint64_t> read_field(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  for (std::string word; file >> word >> number;) {
    if (word == key) return number;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Cgroup> Cgroup::of(int pid, const std::string& wanted, const fs::path& proc) {
  for (const auto& controller : {wanted, std::string()}) {
    const auto path = path_in_hierarchy(proc / std::to_string(pid) / "cgroup", controller);
    const auto mount = path ? find_mount(proc / "self" / "mountinfo", controller) : std::nullopt;
    const auto folder = mount ? visible_folder(*mount, *path) : std::nullopt;
    if (folder) return Cgroup(mount->point, *folder, controller.empty());
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Cgroup::oom_kills() const {
  if (!is_v2_) return read_field(folder_ / "memory.oom_control", "oom_kill");
  // Without the cgroups below, if the kernel counts them separately (from 5.2 on).
  const auto own = read_field(folder_ / "memory.events.local", "oom_kill");
  return own ? own : read_field(folder_ / "memory.events", "oom_kill");
}

/// The lowest value that `read` finds in this folder or one above it.
template <class Value, class Read>
std::optional<Value> Cgroup::lowest(const Read& read) const {
  std::optional<Value> found;
  for (auto folder = folder_;; folder = folder.parent_path()) {
    const std::optional<Value> value = read(folder);
    if (value) found = std::min(*value, found.value_or(*value));
    if (folder == mount_ || folder == folder.parent_path()) return found;
  }
}

std::optional<std::uint64_t> Cgroup::limit() const {
  return lowest<std::uint64_t>([&](const fs::path& folder) {
    auto limit = read_number<std::uint64_t>(folder / (is_v2_ ? "memory.max" : "memory.limit_in_bytes"));
    return limit && *limit < unlimited ? limit : std::nullopt;
  });
}

std::optional<double> Cgroup::processors() const {
  return lowest<double>([&](const fs::path& folder) -> std::optional<double> {
    const auto quota = read_number<double>(folder / (is_v2_ ? "cpu.max" : "cpu.cfs_quota_us"));
    const auto period =
        is_v2_ ? read_second(folder / "cpu.max") : read_number<double>(folder / "cpu.cfs_period_us");
    if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
    return *quota / *period;
  });
}

double usable_processors() {
  const double allowed = std::thread::hardware_concurrency();
  const auto cgroup = Cgroup::of_processors(::getpid());
  return std::min(allowed, cgroup ? cgroup->processors().value_or(allowed) : allowed);
}

}  // namespace stest
