#include "common/os/replace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>

#include "common/os/fd.hpp"

namespace stest {

Status replace_file(const std::filesystem::path& file, std::string_view text, mode_t mode) {
  const auto temporary = file.string() + ".new";
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return errno_error("open " + temporary);
  if (auto written = write_all(fd.get(), text); !written) return written;
  if (::fchmod(fd.get(), mode) != 0) return errno_error("chmod " + temporary);
  if (::rename(temporary.c_str(), file.c_str()) != 0) return errno_error("rename to " + file.string());
  return {};
}

}  // namespace stest
