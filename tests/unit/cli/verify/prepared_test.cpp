#include "cli/verify/prepared.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using nlohmann::json;

TEST(PreparedTest, TheLineIsThatOfTheRun) {
  const auto worker = json::parse(R"({"snapshots": [{"args": ["-q"], "reason": "", "run": 7},
                                                    {"args": ["-q"], "reason": "it writes", "run": 8}]})");
  EXPECT_EQ(line_of(worker, 8).at("reason"), "it writes");
  EXPECT_TRUE(line_of(worker, 9).is_null());
  EXPECT_TRUE(line_of(json::object(), 7).is_null());
}

TEST(PreparedTest, WithoutADaemonThereIsNothingToWaitFor) {
  const TemporaryFolder folder;
  RuntimePaths paths;
  paths.status_file = folder.path() / "status.json";
  EXPECT_TRUE(await_prepared(paths, {}, [] {}).is_null());
}

}  // namespace
}  // namespace stest
