#include "stest/process_attributes.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "common/json/json_fields.hpp"
#include "common/os/process.hpp"

namespace stest {
namespace {

/// Whether `work` is true in a child, whose attributes are its own.
bool holds_in_child(const std::function<bool()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work() ? 0 : 1);
  int status = 1;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

Result<ProcessAttributes> through_json(const nlohmann::json& value) {
  ProcessAttributes attributes;
  FieldReader fields(value, "process");
  read(fields, attributes);
  if (auto status = fields.status(); !status) return tl::unexpected(status.error());
  return attributes;
}

TEST(ProcessAttributes, AreWhatAProcessHas) {
  EXPECT_TRUE(holds_in_child([] {
    ::setpgid(0, 0);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    ::sigprocmask(SIG_SETMASK, &set, nullptr);
    const rlimit limit{100, 200};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::setpriority(PRIO_PROCESS, 0, 7);
    const auto now = current_attributes();
    return now.nice == 7 && now.limits.at("nofile") == Limit{100, 200} && now.leads == Leads::group &&
           now.ignored_signals == std::vector<int>{SIGHUP} &&
           now.blocked_signals == std::vector<int>{SIGUSR2} && !now.affinity.empty();
  }));
}

TEST(ProcessAttributes, AreApplied) {
  auto wanted = current_attributes();
  wanted.affinity.resize(1);
  wanted.nice = 9;
  wanted.policy = SCHED_BATCH;
  wanted.blocked_signals = {SIGUSR1};
  wanted.oom_score_adj += 100;
  wanted.limits["core"] = {0, 0};
  wanted.limits["stack"].soft = 1 << 20;
  EXPECT_TRUE(holds_in_child([&] { return !apply(wanted) && current_attributes() == wanted; }));
  // What is not given stays.
  EXPECT_TRUE(holds_in_child([before = current_attributes()] {
    auto some = before;
    some.affinity.clear();
    some.limits.clear();
    return !apply(some) && current_attributes() == before;
  }));
}

TEST(ProcessAttributes, SayWhatIsOutOfReach) {
  EXPECT_TRUE(holds_in_child([] {
    auto wanted = current_attributes();
    wanted.affinity = {8000};
    return apply(wanted).has_value();
  }));
  auto wanted = current_attributes();
  wanted.limits["as"] = {1 << 30, std::nullopt};
  EXPECT_EQ(needs_fresh_process(wanted).value_or("").find("memory is limited (ulimit -v)"), 0u);
  wanted.limits["as"] = {std::nullopt, std::nullopt};
  EXPECT_FALSE(needs_fresh_process(wanted));
}

TEST(ProcessAttributes, AreKeptByJson) {
  ProcessAttributes sent{{0, 3}, -5,   SCHED_RR,      7, 1, {{"nofile", {64, std::nullopt}}}, {1, 2},
                         {10},   -900, Leads::session};
  EXPECT_EQ(through_json(to_json(sent)).value(), sent);
  EXPECT_EQ(through_json(nlohmann::json::object()).value(), ProcessAttributes{});
}

TEST(ProcessAttributes, RefuseOtherJson) {
  for (const char* bad :
       {R"({"niceness": 1})", R"({"affinity": [0.5]})", R"({"leads": "me"})", R"({"ignored_signals": [0]})",
        R"({"limits": [{"soft": 1}]})", R"({"nice": "7"})"}) {
    EXPECT_FALSE(through_json(nlohmann::json::parse(bad))) << bad;
  }
}

TEST(Spawn, GivesTheLayoutOfTheClient) {
  SpawnOptions options;
  options.executable = "/bin/sh";
  options.args = {"-c",
                  "test $(ulimit -s) = 4096 && "
                  "grep -q '^Cpus_allowed_list:.0$' /proc/self/status"};
  options.affinity = {0};
  options.stack = Limit{4 << 20, std::nullopt};
  const auto pid = spawn(options);
  ASSERT_TRUE(pid);
  EXPECT_EQ(wait_for(*pid)->code, 0);
}

}  // namespace
}  // namespace stest
