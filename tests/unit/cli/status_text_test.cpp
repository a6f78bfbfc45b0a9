#include "cli/status_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

TEST(StatusTextTest, ShowsEverythingThatAPersonAsksFor) {
  const auto status = nlohmann::json::parse(R"json({
    "version": "0.1.0", "build": "b", "pid": 11, "root": "/project", "python": "/venv/bin/python",
    "endpoint": {"socket": "/s"}, "state": "running", "started_at": 1000,
    "worker": {"pid": 12, "state": "ready", "python": "3.11.7", "executable": "/venv/bin/python",
      "preloaded": [{"module": "torch", "seconds": 1.234}, {"module": "numpy", "seconds": 0.1}],
      "not_preloaded": [{"module": "grpc", "reason": "starts threads"}],
      "values": [{"name": "m.f()", "state": "held", "seconds": 0.5, "bytes": 3145728, "reason": ""},
                 {"name": "m.g()", "state": "loading", "seconds": 0, "bytes": 0, "reason": ""},
                 {"name": "m.h()", "state": "not_held", "seconds": 0, "bytes": 0, "reason": "it uses eval"}],
      "target": {"name": "tinyai", "path": "/project/tinyai", "how": "root"}},
    "runs": [{"id": 3, "state": "running", "args": ["-x", "t.py"], "nodeid": "t.py::test_a", "since": 1180,
              "position": 0, "started_at": 1190, "test_started_at": 1197},
             {"id": 5, "state": "running", "args": ["-n", "2"], "nodeid": "a", "since": 1190, "position": 0,
              "started_at": 1190, "python": false, "parent": null,
              "tests": [{"nodeid": "t.py::a", "worker": "gw0", "started_at": 1195},
                        {"nodeid": "t.py::b", "worker": "gw1", "started_at": 1199}]},
             {"id": 6, "state": "running", "args": ["-c", "x"], "python": true, "parent": 5},
             {"id": 7, "state": "running", "args": ["x.py"], "python": true, "parent": null, "started_at": 1190},
             {"id": 4, "state": "queued", "args": [], "nodeid": "", "since": 1199,
              "position": 1, "started_at": null, "test_started_at": null}],
    "last_result": {"id": 2, "exit_code": 1, "outcome": "failed", "duration_s": 0.5, "finished_at": 1080}})json");
  EXPECT_EQ(status_text(status, 1200),
            "stest 0.1.0: running, pid 11, up 3 min\n"
            "  root           /project\n"
            "  python         /venv/bin/python\n"
            "  worker         ready, pid 12, Python 3.11.7\n"
            "  target         tinyai, /project/tinyai (root)\n"
            "  preloaded      torch 1.23 s, numpy 0.10 s\n"
            "  not preloaded  grpc: starts threads\n"
            "  values         m.f(): 0.50 s, 3 MiB\n"
            "                 m.g(): loading\n"
            "                 m.h(): it uses eval\n"
            "  run 3          running for 10 s (stest -x t.py): t.py::test_a for 3 s\n"
            "  run 5          running for 10 s (stest -n 2)\n"
            "                 gw0: t.py::a for 5 s\n"
            "                 gw1: t.py::b for 1 s\n"
            "  run 7          running for 10 s (stest python x.py)\n"
            "  run 4          queued for 1 s, position 1 (stest)\n"
            "  last run       failed, exit code 1, 0.50 s, 2 min ago\n");
}

TEST(StatusTextTest, AnIdleDaemonWithoutAWorker) {
  const auto status = nlohmann::json::parse(R"({"version": "0.1.0", "pid": 11, "state": "idle",
    "started_at": 1000, "worker": null, "runs": [], "last_result": null})");
  EXPECT_EQ(status_text(status, 1001),
            "stest 0.1.0: idle, pid 11, up 1 s\n"
            "  worker         none; the next run starts it\n");
}

TEST(StatusTextTest, MemoryByPurpose) {
  const auto status = nlohmann::json::parse(R"({"processes": [
    {"pid": 1, "role": "daemon", "run": null, "bytes": 8388608},
    {"pid": 2, "role": "worker", "run": null, "bytes": 104857600},
    {"pid": 3, "role": "snapshot", "run": null, "bytes": 1048576},
    {"pid": 4, "role": "snapshot", "run": null, "bytes": 2097152},
    {"pid": 8, "role": "values", "run": null, "bytes": 1048576},
    {"pid": 5, "role": "run", "run": 7, "bytes": 5242880},
    {"pid": 6, "role": "left_behind", "run": 3, "bytes": 1048576},
    {"pid": 7, "role": "of a newer version", "run": null, "bytes": 0}]})");
  EXPECT_NE(status_text(status, 0).find(
                "  memory         118 MiB\n"
                "                 8 MiB: the daemon, which serves clients\n"
                "                 100 MiB: the worker, which holds the loaded modules\n"
                "                 3 MiB: snapshots, which make the next run sooner (2 processes)\n"
                "                 1 MiB: the process that holds the values of sprintest.warm\n"
                "                 5 MiB: run 7\n"
                "                 1 MiB: left behind by run 3\n"
                "                 0 MiB: others\n"),
            std::string::npos)
      << status_text(status, 0);
}

TEST(StatusTextTest, ATargetThatDoesNotExist) {
  const auto status = nlohmann::json::parse(R"({"worker": {"target": {"name": "gone", "path": "",
    "how": "configured"}}})");
  EXPECT_NE(status_text(status, 0).find("  target         gone, not found (configured)\n"),
            std::string::npos);
  EXPECT_EQ(status_text(nlohmann::json::parse(R"({"worker": {"target": null}})"), 0).find("target"),
            std::string::npos);
}

TEST(StatusTextTest, NothingThatADaemonSaysBreaksIt) {
  for (const auto* text :
       {"null", "[]", "{}", R"({"worker": 3, "runs": {}, "last_result": "x"})",
        R"({"processes": [3, {"bytes": "x"}]})",
        R"({"worker": {"preloaded": [1], "target": 7}, "runs": [null], "last_result": {}})"}) {
    EXPECT_NO_THROW(status_text(nlohmann::json::parse(text), 0)) << text;
  }
}

}  // namespace
}  // namespace stest
