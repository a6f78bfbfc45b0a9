#include "cli/verify/scratch_folder.hpp"

#include <stdlib.h>

#include "common/os/fd.hpp"

namespace stest {

Result<ScratchFolder> ScratchFolder::create() {
  std::error_code error;
  auto name = (std::filesystem::temp_directory_path(error) / "stest-verify-XXXXXX").string();
  if (!error && ::mkdtemp(name.data()) != nullptr) return ScratchFolder(name);
  return fail(ErrorCode::internal, errno_error("cannot create a folder such as " + name).value().message,
              "Set TMPDIR to another folder.");
}

void ScratchFolder::remove() const {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace stest
