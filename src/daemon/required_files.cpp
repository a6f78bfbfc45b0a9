#include "daemon/required_files.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace stest {
namespace {

bool is_gone(const std::filesystem::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace

RequiredFiles::RequiredFiles(const RuntimePaths& paths, std::vector<std::filesystem::path> programs)
    : programs_(std::move(programs)) {
  for (const auto& path : {paths.root, paths.directory, paths.lock_file}) held_.emplace_back(path);
  std::erase_if(programs_, is_gone);
}

std::optional<std::string> RequiredFiles::problem() const {
  for (const auto& file : held_) {
    const auto place = file.place();
    if (place == HeldFile::Place::gone) return file.path().string() + " does not exist any more";
    if (place == HeldFile::Place::replaced) return file.path().string() + " has been replaced by another";
  }
  for (const auto& program : programs_) {
    if (is_gone(program)) return program.string() + " is not installed any more";
  }
  return std::nullopt;
}

}  // namespace stest
