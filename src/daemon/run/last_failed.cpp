#include "daemon/run/last_failed.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/os/read_file.hpp"
#include "common/os/replace_file.hpp"

namespace stest {

namespace {

nlohmann::ordered_json known_failures(const std::filesystem::path& file) {
  const auto text = read_file(file);
  auto known = nlohmann::ordered_json::parse(text ? text->value_or("") : "", nullptr, false);
  return known.is_object() ? known : nlohmann::ordered_json::object();
}

/// Makes the folders as pytest does, with a file that keeps the cache out of version control.
Status make_folders(const std::filesystem::path& file) {
  const auto cache = file.parent_path().parent_path().parent_path();
  std::error_code error;
  if (std::filesystem::create_directories(cache, error)) std::ofstream(cache / ".gitignore") << "*\n";
  if (!error) std::filesystem::create_directories(file.parent_path(), error);
  if (error) return fail(ErrorCode::internal, "cannot create " + cache.string() + ": " + error.message());
  return {};
}

}  // namespace

Status complete_last_failed(const std::filesystem::path& file, const RunTally& tally,
                            const std::string& nodeid, mode_t umask) {
  const auto before = known_failures(file);
  auto failed = before;
  for (const auto& [test, has_failed] : tally.has_failed_by_test()) {
    if (!has_failed) failed.erase(test);
  }
  for (const auto& test : tally.unfinished(nodeid).failed) failed[test] = true;
  if (!nodeid.empty()) failed[nodeid] = true;
  if (failed == before) return {};
  if (auto made = make_folders(file); !made) return made;
  return replace_file(file, failed.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
                      0666 & ~umask);
}

}  // namespace stest
