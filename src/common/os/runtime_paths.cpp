#include "common/os/runtime_paths.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string_view>

#include "common/os/fd.hpp"

namespace stest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un{}.sun_path) - 1;

constexpr std::array<const char*, 5> kRootFiles{"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml",
                                                ".git"};

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(blanks);
  return begin == text.npos ? std::string_view()
                            : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

/// The name in a section header such as "[ tool . "pytest" ]", without spaces and quotes; empty for any other
/// line. It does not parse the file, because the file may be invalid; pytest or `load_config` reports that.
std::string section_name(std::string_view line) {
  line = trim(line);
  const std::size_t end = line.find(']');
  if (line.empty() || line[0] != '[' || end == line.npos) return {};
  std::string name;
  for (const char letter : line.substr(1, end - 1)) {
    if (letter != ' ' && letter != '\t' && letter != '"' && letter != '\'') name += letter;
  }
  return name;
}

template <class Predicate>
bool has_section(const fs::path& file, Predicate matches) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (matches(section_name(line))) return true;
  }
  return false;
}

/// Whether `section` is `name` or a table below it.
bool is_table(std::string_view section, std::string_view name) {
  return section == name || (section.substr(0, name.size()) == name && section[name.size()] == '.');
}

bool is_root(const fs::path& folder) {
  std::error_code error;
  for (const char* file : kRootFiles) {
    if (fs::exists(folder / file, error)) return true;
  }
  return has_section(folder / "tox.ini", [](std::string_view name) { return name == "pytest"; }) ||
         has_section(folder / "setup.cfg", [](std::string_view name) { return name == "tool:pytest"; }) ||
         has_section(folder / "pyproject.toml", [](std::string_view name) {
           return is_table(name, "tool.pytest") || is_table(name, "tool.sprintest");
         });
}

fs::path resolve(const fs::path& path) {
  std::error_code error;
  fs::path resolved = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : resolved;
}

/// The path in a variable, made absolute; `fallback` if it is unset or empty.
fs::path path_from(const Environment& env, const char* variable, const fs::path& root,
                   const fs::path& fallback) {
  const auto& path = value_of(env, variable);
  return path.empty() ? fallback : resolve(root / path);
}

/// 16 hexadecimal digits (FNV-1a), the same in client and daemon for every build.
std::string hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (const char letter : text) value = (value ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(value));
  return digits.data();
}

bool is_own_folder(const fs::path& folder) {
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

fs::path temporary_folder() { return "/tmp/stest-" + std::to_string(::geteuid()); }

fs::path socket_path(const fs::path& directory, const Environment& env) {
  fs::path plain = directory / "daemon.sock";
  if (plain.native().size() <= kMaxSocketPath) return plain;
  const std::string id = hash(directory.native());
  const auto& runtime = value_of(env, "XDG_RUNTIME_DIR");
  if (runtime.starts_with('/') && is_own_folder(runtime)) {
    const fs::path path = fs::path(runtime) / ("stest-" + id + ".sock");
    if (path.native().size() <= kMaxSocketPath) return path;
  }
  return temporary_folder() / (id + ".sock");
}

tl::unexpected<Error> unusable(const fs::path& folder, const std::string& why, const std::string& hint) {
  return fail(ErrorCode::daemon_unavailable, "cannot use the folder " + folder.string() + ": " + why, hint);
}

/// Creates `folder` (0700), or checks that it is a folder of this user, not a link, without the permissions
/// in `forbidden`. Returns whether it was created.
Result<bool> ensure_folder(const fs::path& folder, mode_t forbidden, const std::string& hint) {
  const bool created = ::mkdir(folder.c_str(), 0700) == 0;
  if (!created && errno != EEXIST) {
    const int error = errno;
    return unusable(folder, std::generic_category().message(error),
                    is_disk_full(error) ? full_disk_hint : hint);
  }
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0) {
    return unusable(folder, std::generic_category().message(errno), hint);
  }
  if (!S_ISDIR(info.st_mode)) return unusable(folder, "it is not a folder", hint);
  if (info.st_uid != ::geteuid()) return unusable(folder, "it belongs to another user", hint);
  if ((info.st_mode & forbidden) != 0) return unusable(folder, "other users have access to it", hint);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return unusable(folder, "it is not writable (" + std::generic_category().message(errno) + ")", hint);
  }
  return created;
}

/// Keeps the folder out of version control. An existing file is not changed.
Status write_gitignore(const fs::path& folder) {
  const fs::path path = folder / ".gitignore";
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return errno == EEXIST ? Status() : Status(errno_error("cannot create " + path.string()));
  return write_all(fd.get(), "*\n");
}

}  // namespace

fs::path find_project_root(const fs::path& cwd) {
  fs::path start = resolve(cwd);
  for (fs::path folder = start;; folder = folder.parent_path()) {
    if (is_root(folder)) return folder;
    if (folder == folder.parent_path()) return start;
  }
}

RuntimePaths runtime_paths(const fs::path& root, const Environment& env) {
  RuntimePaths paths;
  paths.root = resolve(root);
  paths.directory = path_from(env, "SPRINTEST_DIR", paths.root, paths.root / ".sprintest");
  paths.status_file = paths.directory / "status.json";
  paths.lock_file = path_from(env, "SPRINTEST_LOCK_FILE", paths.root, paths.directory / "daemon.lock");
  paths.log_file = paths.directory / "daemon.log";
  paths.preload_file = paths.directory / "preload.json";
  paths.socket = socket_path(paths.directory, env);
  return paths;
}

Status ensure_directories(const RuntimePaths& paths) {
  constexpr mode_t written_by_others = S_IWGRP | S_IWOTH;
  constexpr mode_t any_by_others = S_IRWXG | S_IRWXO;
  std::error_code ignored;  // ensure_folder() reports the error.
  fs::create_directories(paths.directory.parent_path(), ignored);
  const Result<bool> created = ensure_folder(
      paths.directory, written_by_others,
      "Make it a folder that only you can write to, also in a sandbox, or choose another one with "
      "SPRINTEST_DIR.");
  if (!created) return tl::unexpected(created.error());
  if (*created) {
    if (Status written = write_gitignore(paths.directory); !written) return written;
  }
  if (paths.socket.parent_path() != temporary_folder()) return {};
  const Result<bool> own = ensure_folder(temporary_folder(), any_by_others,
                                         "Remove it, or choose a shorter path with SPRINTEST_DIR.");
  return own ? Status() : Status(tl::unexpected(own.error()));
}

void remove_leftovers(const RuntimePaths& paths) {
  std::error_code ignored;
  fs::remove(paths.status_file, ignored);
  fs::remove(paths.socket, ignored);
}

}  // namespace stest
