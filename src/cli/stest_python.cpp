// `stest-python ARGS` is `stest python --warm-children ARGS`: an interpreter for programs that take only the
// path of one. `sys.executable` is such a path.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "stest/messages.hpp"

int main(int argc, char** argv) {
  std::array<char, PATH_MAX> client{};
  const auto size = ::readlink("/proc/self/exe", client.data(), client.size() - 1);
  char* name = size > 0 ? std::strrchr(client.data(), '/') : nullptr;
  auto** words = static_cast<const char**>(std::calloc(static_cast<std::size_t>(argc) + 3, sizeof(char*)));
  if (name == nullptr || words == nullptr) return 127;
  std::strcpy(name, "/stest");  // This program's own name is longer.
  words[0] = client.data();
  words[1] = "python";
  words[2] = stest::warm_children;
  std::copy(argv + 1, argv + argc, words + 3);
  ::execv(client.data(), const_cast<char**>(words));
  std::fprintf(stderr, "stest: cannot start %s: %s\n", client.data(), std::strerror(errno));
  return 127;
}
