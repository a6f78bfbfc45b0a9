#include "cli/doctor/doctor.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

const std::vector<Finding> mixed{fine("python", "3.11.7"), warning("inotify", "few", "Raise it."),
                                 failure("socket", "no bind", "Move it.")};

TEST(Doctor, OneLinePerFindingAndTheRemedyBelow) {
  EXPECT_EQ(findings_text(mixed),
            "ok       python         3.11.7\n"
            "warning  inotify        few\n"
            "         → Raise it.\n"
            "failure  socket         no bind\n"
            "         → Move it.\n"
            "stest doctor: 1 failure, 1 warning\n");
  EXPECT_EQ(findings_text({mixed[0]}),
            "ok       python         3.11.7\n"
            "stest doctor: everything is in order\n");
}

TEST(Doctor, Json) {
  const auto all = nlohmann::json::parse(findings_json(mixed));
  EXPECT_FALSE(all["sound"]);
  EXPECT_EQ(all["checks"][2],
            nlohmann::json(
                {{"name", "socket"}, {"grade", "failure"}, {"detail", "no bind"}, {"remedy", "Move it."}}));
}

TEST(Doctor, WarningsAreNoFailure) {
  EXPECT_EQ(exit_code(mixed), ExitCode::unsound);
  EXPECT_EQ(exit_code(std::vector<Finding>{mixed[0], mixed[1]}), ExitCode::ok);
}

}  // namespace
}  // namespace stest
