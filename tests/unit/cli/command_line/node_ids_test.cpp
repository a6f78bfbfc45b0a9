#include "cli/command_line/node_ids.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Ids = std::vector<std::string>;

class NodeIdsTest : public ::testing::Test {
 protected:
  void cache(std::string_view json) { folder_.write(".pytest_cache/v/cache/nodeids", json); }
  Ids in(const std::string& below, const std::string& prefix) {
    return node_ids(folder_.path(), folder_.path() / below, prefix);
  }

  TemporaryFolder folder_;
};

TEST_F(NodeIdsTest, FindsThoseThatBeginSo) {
  cache(R"(["tests/test_a.py::test_one", "tests/test_a.py::test_two[x y]", "tests/test_b.py::test_one"])");
  EXPECT_EQ(in("", "tests/test_a.py::"),
            (Ids{"tests/test_a.py::test_one", "tests/test_a.py::test_two[x y]"}));
  EXPECT_EQ(in("", "tests/test_a.py::test_t"), Ids{"tests/test_a.py::test_two[x y]"});
  EXPECT_EQ(in("", "other"), Ids{});
}

TEST_F(NodeIdsTest, InAFolderBelowTheRootTheyBeginThere) {
  cache(R"(["tests/test_a.py::test_one", "test_a.py::test_two"])");
  EXPECT_EQ(in("tests", "test_a.py::"), Ids{"test_a.py::test_one"});
}

TEST_F(NodeIdsTest, WithoutACacheThatCanBeReadThereAreNone) {
  EXPECT_EQ(in("", ""), Ids{});
  for (const auto* json : {"", "{", "{}", "[1, null, []]", "[\"\\ud800\"]"}) {
    cache(json);
    EXPECT_EQ(in("", ""), Ids{}) << json;
  }
}

}  // namespace
}  // namespace stest
