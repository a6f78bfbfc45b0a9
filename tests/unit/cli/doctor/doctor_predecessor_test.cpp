#include "cli/doctor/doctor_predecessor.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

class PredecessorTest : public testing::Test {
 protected:
  std::string found(const std::string& version) const {
    PythonFacts facts;
    facts.prefix = "/v";
    facts.sprintest = version;
    const auto finding = check_predecessor(runtime_paths(folder_.path(), {}), facts);
    return finding ? finding->detail : "";
  }

  TemporaryFolder folder_;
};

TEST_F(PredecessorTest, OnlyVersionsBelowTwoAreThePythonProgram) {
  EXPECT_EQ(found(""), "");
  EXPECT_EQ(found("2.0.0"), "");
  EXPECT_EQ(found("1.1.1"), "the Python program sprintest: version 1.1.1 is installed in /v");
}

TEST_F(PredecessorTest, KnowsItsStatusFile) {
  const auto file =
      folder_.write(".sprintest/status.json", R"({"pid": 1, "version": "1.1.1", "status": "ready"})");
  EXPECT_EQ(found(""), "the Python program sprintest: " + file.string() + " is its file");
  folder_.write(".sprintest/status.json", R"({"pid": 1, "version": "2.0.0", "build": "b"})");
  EXPECT_EQ(found(""), "");
  folder_.write(".sprintest/status.json", "[");
  EXPECT_EQ(found(""), "");
}

}  // namespace
}  // namespace stest
