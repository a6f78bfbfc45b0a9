// Any pyproject.toml, and after a NUL any values of variables, one per line: a configuration or an error that
// says something, never an exception.

#include "stest/config.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace {

/// A folder for one process, removed at its end.
class Folder {
 public:
  Folder() {
    std::string path = std::filesystem::temp_directory_path() / "stest-fuzz-XXXXXX";
    path_ = ::mkdtemp(path.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

stest::Environment variables(const std::string& values) {
  stest::Environment env;
  std::istringstream lines(values);
  for (const auto& key : stest::config_keys()) {
    std::string value;
    if (!key.variable.empty() && std::getline(lines, value)) env[key.variable] = value;
  }
  return env;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folder folder;
  const std::string input(reinterpret_cast<const char*>(data), size);
  const auto end = std::min(input.find('\0'), size);
  std::ofstream(folder.path() / "pyproject.toml", std::ios::binary) << input.substr(0, end);
  const auto config = stest::load_config(folder.path(), variables(input.substr(std::min(end + 1, size))));
  if (!config && (config.error().message.empty() || config.error().hint.empty())) std::abort();
  return 0;
}
