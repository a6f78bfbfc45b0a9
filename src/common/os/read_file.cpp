#include "common/os/read_file.hpp"

#include <fcntl.h>

#include <cerrno>

#include "common/os/fd.hpp"

namespace stest {

Result<std::optional<std::string>> read_file(const std::filesystem::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::optional<std::string>{};
  if (!fd) return errno_error(path.string());
  std::string text;
  while (true) {
    const Result<ReadResult> part = read_some(fd.get(), std::size_t{64} * 1024);
    if (!part) return fail(part.error().code, path.string() + ": " + part.error().message);
    if (part->end) return text;
    text += part->data;
  }
}

}  // namespace stest
