#include "common/os/surroundings.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/os/read_file.hpp"

namespace stest {
namespace {

struct Kind {
  const char* key;
  const char* words;
};

constexpr std::array<Kind, 6> namespaces{{{"pid", "PID namespace"},
                                          {"mnt", "mount namespace"},
                                          {"net", "network namespace"},
                                          {"ipc", "IPC namespace"},
                                          {"uts", "UTS namespace"},
                                          {"user", "user namespace"}}};

/// Fields of /proc/self/status. Landlock is not visible there, but an unprivileged process must set
/// NoNewPrivs to use it.
constexpr std::array<Kind, 3> limits{{{"Seccomp", "seccomp mode"},
                                      {"Seccomp_filters", "number of seccomp filters"},
                                      {"NoNewPrivs", "no_new_privs"}}};

constexpr Kind machine{"machine", "machine, or another boot of it"};

std::string content(const char* file) {
  auto text = read_file(file);
  return text && *text ? std::move(**text) : std::string();
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\n") + 1);
  return text.substr(std::min(text.find_first_not_of(" \t\n"), text.size()));
}

/// The value in a line "NAME:\tVALUE"; empty if there is no such line.
std::string field(const std::string& status, const std::string& name) {
  const auto begin = status.find("\n" + name + ":");
  if (begin == std::string::npos) return {};
  const auto value = begin + name.size() + 2;
  return trimmed(status.substr(value, status.find('\n', value) - value));
}

void add(Surroundings& all, const char* key, std::string value) {
  if (!value.empty()) all.emplace(key, std::move(value));
}

Surroundings look_around() {
  Surroundings all;
  std::error_code ignored;
  for (const auto& kind : namespaces) {
    const auto link = std::string("/proc/self/ns/") + kind.key;
    add(all, kind.key, std::filesystem::read_symlink(link, ignored).string());
  }
  const auto status = content("/proc/self/status");
  for (const auto& kind : limits) add(all, kind.key, field(status, kind.key));
  add(all, machine.key, trimmed(content("/proc/sys/kernel/random/boot_id")));
  return all;
}

bool differ(const Surroundings& one, const Surroundings& other, const char* key) {
  const auto left = one.find(key);
  const auto right = other.find(key);
  return left != one.end() && right != other.end() && left->second != right->second;
}

std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace

const Surroundings& own_surroundings() {
  static const Surroundings own = look_around();
  return own;
}

std::string different_surroundings(const Surroundings& one, const Surroundings& other) {
  std::vector<std::string> words;
  const auto look_at = [&](const Kind& kind) {
    if (differ(one, other, kind.key)) words.emplace_back(kind.words);
  };
  look_at(machine);
  for (const auto& kind : namespaces) look_at(kind);
  for (const auto& kind : limits) look_at(kind);
  return listed(words);
}

bool shares_pids(const Surroundings& one, const Surroundings& other) {
  return !differ(one, other, "pid") && !differ(one, other, machine.key);
}

std::optional<std::string> proc_problem() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self", error);
  if (error) return "/proc is not mounted (" + error.message() + ")";
  if (self == std::to_string(::getpid())) return std::nullopt;
  return "/proc belongs to another PID namespace";
}

}  // namespace stest
