#include "daemon/run/input_wait.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <string>

#include "common/os/process.hpp"
#include "daemon/run/client_files.hpp"

namespace stest {

namespace {

bool is_same(const std::string& one, const std::string& other) {
  struct stat a {
  }, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

bool is_input_of_client(const std::string& file, const RunRequest& request) {
  if (request.input && is_same(file, request.input->file.path)) return true;
  return request.terminal && (is_same(file, request.terminal->file.path) || is_same(file, "/dev/tty"));
}

bool is_blocked_in_read(const RunRequest& request, int pid) {
  const auto call = blocked_call(pid);
  if (!call) return false;
  if (call->number == SYS_read || call->number == SYS_readv) {
    return is_input_of_client("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(call->first_argument),
                              request);
  }
  if (call->number != SYS_wait4 && call->number != SYS_waitid) return false;
  const auto children = children_of(pid);
  return std::any_of(children.begin(), children.end(),
                     [&](int child) { return is_blocked_in_read(request, child); });
}

/// As the line editors of prompts do, which wait in many ways.
bool reads_single_keys(const RunRequest& request) {
  if (!request.terminal || !request.terminal->in) return false;
  const auto terminal = ClientTerminal::open(request.terminal->file);
  return terminal && terminal->reads_single_keys();
}

}  // namespace

bool waits_for_input(const RunRequest& request, int pid) {
  return (request.terminal || request.input) &&
         (reads_single_keys(request) || is_blocked_in_read(request, pid));
}

}  // namespace stest
