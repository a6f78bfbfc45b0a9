#include "daemon/http/collected_run.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

TEST(CollectedRun, GathersWhatARunSaid) {
  CollectedRun run(7);
  run.take(event::Queued{7, 1});
  run.take(event::Notice{"started worker"});
  run.take(event::Output{Stream::out, "a"});
  run.take(event::Output{Stream::err, "\xff"});
  run.take(event::Output{Stream::out, "b"});
  run.take(event::Test{"t.py::x", "call", "passed", 0.5});
  run.take(event::Stuck{30, "t.py::x"});
  run.take(event::Done{1, Outcome::failed, "m", "h", 2, {1'000'000'000, {{"tests", 2'000'000'000}}}});
  EXPECT_EQ(run.to_json(), nlohmann::json::parse(R"({
    "id": 7, "exit_code": 1, "outcome": "failed", "message": "m", "hint": "h", "duration_s": 2.0,
    "timings": {"begin_s": 1.0, "stages": [{"stage": "tests", "duration_s": 2.0}]},
    "unfinished": null, "stdout": "ab", "stderr": {"base64": "/w=="}, "dropped": {"stdout": 0, "stderr": 0},
    "tests": [{"nodeid": "t.py::x", "when": "call", "outcome": "passed", "duration_s": 0.5, "worker": ""}],
    "notice": ["started worker"], "stuck": [{"seconds": 30.0, "nodeid": "t.py::x", "test_seconds": 0.0, "stack": ""}]})"));
}

}  // namespace
}  // namespace stest
