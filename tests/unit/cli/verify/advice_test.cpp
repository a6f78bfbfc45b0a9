#include "cli/verify/advice.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

using nlohmann::json;

constexpr std::uint64_t ms = 1'000'000;

MeasuredRun run(std::uint64_t worker_ms, std::uint64_t configuration_ms, std::uint64_t collection_ms) {
  Timings timings{0,
                  {{"queue", 900 * ms},
                   {"worker", worker_ms * ms},
                   {"configuration", configuration_ms * ms},
                   {"collection", collection_ms * ms}}};
  return {1.0, timings, {}, {}};
}

const json with_grpc = {{"not_preloaded", {{{"module", "grpc"}, {"reason", "starts a thread"}}}}};
const json collected = {{"reason", ""}};
const json refused = {{"reason", "plugin.py reads the clock"}};

TEST(AdviceTest, IsOnlyGivenForTimeThatCounts) {
  EXPECT_TRUE(is_worth(0.05, 1));
  EXPECT_FALSE(is_worth(0.049, 1));
  EXPECT_TRUE(is_worth(0.02, 0.1));
  EXPECT_FALSE(is_worth(0.019, 0.1));
  EXPECT_TRUE(advice_for(run(0, 0, 0), with_grpc, collected, {}).empty());
  EXPECT_TRUE(advice_for(run(0, 20, 20), with_grpc, refused, {}).empty());
  EXPECT_TRUE(advice_for(run(400, 0, 0), nullptr, nullptr, {}).empty());
}

TEST(AdviceTest, NamesWhatKeepsRunsFromBeingPrepared) {
  const auto advice = advice_for(run(0, 100, 200), with_grpc, refused, {});
  ASSERT_EQ(advice.size(), 1u);
  EXPECT_DOUBLE_EQ(advice[0].seconds, 0.3);
  EXPECT_EQ(advice[0].what, "tests are not collected ahead of a run: plugin.py reads the clock");
  EXPECT_EQ(advice_text(advice),
            "  0.30 s  tests are not collected ahead of a run: plugin.py reads the clock\n"
            "          Do this later, in a fixture or a test, or do without the plugin that does it.\n");
}

TEST(AdviceTest, DistinguishesWhyNoPreparedRunWasUsed) {
  const auto what = [](const json& line, bool prime, const char* isolation) {
    Config config;
    config.prime = prime;
    config.isolation = isolation;
    const auto advice = advice_for(run(0, 100, 200), nullptr, line, config);
    return advice.empty() ? "" : advice[0].what;
  };
  EXPECT_EQ(what(nullptr, false, "fork"), "no run is prepared: `prime` is false");
  EXPECT_EQ(what(nullptr, true, "fork"), "tests are not collected ahead of a run: it was not done in time");
  EXPECT_EQ(what(collected, true, "fork"),
            "what was collected ahead was not used, because something that it looks at has changed");
  EXPECT_EQ(what(nullptr, true, "resident"), "");
}

TEST(AdviceTest, NamesModulesThatEachRunImportsAndTheMostValuableFirst) {
  auto measured = run(100, 0, 0);
  measured.imports = {{"grpc", 0.4}, {"own", 0.5}};
  measured.notices = {"restarted the worker: X changed"};
  const auto advice = advice_for(measured, with_grpc, collected, {});
  ASSERT_EQ(advice.size(), 2u);
  EXPECT_EQ(advice[0].what, "each run imports grpc, which cannot be loaded ahead: starts a thread");
  EXPECT_EQ(advice[1].what, "the run waited for a worker: restarted the worker: X changed");
}

}  // namespace
}  // namespace stest
