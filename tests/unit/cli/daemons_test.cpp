#include "cli/daemons.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

FoundDaemon reachable() {
  FoundDaemon daemon;
  daemon.process = {11, 1};
  daemon.executable = "/venv/bin/stestd";
  daemon.python = "/vénv/bin/python3";
  daemon.paths = runtime_paths("/home/me/a project", {});
  daemon.started_at = 1000;
  daemon.memory = 300u << 20;
  daemon.processes = 3;
  daemon.status.emplace();
  daemon.status->state = "idle";
  daemon.status->since = 1100;
  daemon.status->version = "0.1.0";
  return daemon;
}

FoundDaemon lost() {
  FoundDaemon daemon;
  daemon.process = {4711, 1};
  daemon.python = "/opt/python";
  daemon.paths = runtime_paths("/no/such/folder", {});
  daemon.is_root_gone = true;
  daemon.is_executable_deleted = true;
  daemon.started_at = 900;
  daemon.memory = 7u << 20;
  daemon.processes = 1;
  return daemon;
}

TEST(DaemonsTest, TheTableHasALineForEach) {
  EXPECT_EQ(daemons_text({reachable(), lost()}, 1200),
            "PID   STATE           UP     MEMORY   PYTHON             ROOT\n"
            "11    idle for 100 s  3 min  300 MiB  /vénv/bin/python3  /home/me/a project\n"
            "4711  unreachable     5 min  7 MiB    /opt/python        /no/such/folder (deleted) "
            "(its stestd was deleted or replaced)\n");
  EXPECT_EQ(daemons_text({}, 0), "stest: no daemon of this user is running\n");
}

TEST(DaemonsTest, JsonHasAllFieldsOfEach) {
  const auto all = nlohmann::json::parse(daemons_json({reachable(), lost()}));
  const auto& first = all["daemons"][0];
  EXPECT_EQ(first["pid"], 11);
  EXPECT_EQ(first["root"], "/home/me/a project");
  EXPECT_EQ(first["state"], "idle");
  EXPECT_EQ(first["since"], 1100);
  EXPECT_EQ(first["bytes"], 300u << 20);
  EXPECT_EQ(first["version"], "0.1.0");
  const auto& second = all["daemons"][1];
  EXPECT_EQ(second["state"], "unreachable");
  EXPECT_TRUE(second["since"].is_null());
  EXPECT_EQ(second["root_exists"], false);
  EXPECT_EQ(second["executable_deleted"], true);
  EXPECT_EQ(nlohmann::json::parse(daemons_json({}))["daemons"], nlohmann::json::array());
}

TEST(DaemonsTest, NothingInAPathReachesTheTerminal) {
  auto daemon = reachable();
  daemon.paths.root = "/a\x1b[31mb\xff";
  EXPECT_EQ(daemons_text({daemon}, 0).find('\x1b'), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(daemons_json({daemon})));
}

}  // namespace
}  // namespace stest
