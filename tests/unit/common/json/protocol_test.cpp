#include "stest/protocol.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace stest::protocol {
namespace {

using nlohmann::json;

json through_the_wire(const json& value) { return json::parse(value.dump()); }

RunTest run_test() {
  return {7,   {"-x", "\xff"},    "/project", {{"PATH", "/bin"}, {"\xfe", "raw name"}},
          027, RunMode::resident, 8ull << 30, true};
}

Ready ready() {
  Ready ready;
  ready.stest_version = "0.1.0";
  ready.python = "3.11.7";
  ready.executable = "/venv/bin/python";
  ready.preloaded = {{"torch", 1.25}, {"numpy", 0.5}};
  ready.not_preloaded = {{"threads", "it starts threads"}};
  ready.site_dirs = {"/venv/lib/python3.11/site-packages"};
  ready.files = {{"numpy", "/site/numpy.py", {1, 7, 2, 3}, false},
                 {"mine", "/project/\xff.py", {4, 8, 5, 6}, true}};
  ready.target = Ready::Target{"pkg", "/project/src/\xff", "src"};
  ready.env_reads = {{"OMP_NUM_THREADS", "2"}, {"HF_HOME", std::nullopt}};
  ready.env_readers = {{"HF_HOME", "huggingface_hub"}};
  return ready;
}

TEST(ToWorkerJson, IsAsWritten) {
  EXPECT_EQ(to_json(ToWorker(Preload{{"torch"}, {"/src"}, {{"bad", "warns"}}})),
            json::parse(R"json({"type": "preload", "modules": ["torch"], "path": ["/src"],
                            "not_preloadable": [{"name": "bad", "reason": "warns"}]})json"));
  EXPECT_EQ(to_json(ToWorker(Signal{7, 2})), json::parse(R"({"type": "signal", "id": 7, "signal": 2})"));
  EXPECT_EQ(to_json(ToWorker(Shutdown{})), json::parse(R"({"type": "shutdown"})"));
}

TEST(ToWorkerJson, RunTestKeepsEverything) {
  RunTest sent = run_test();
  sent.process.emplace();
  sent.process->affinity = {1};
  sent.process->nice = 3;
  sent.gpus = {"0", "GPU-x"};
  const Result<ToWorker> message = to_worker_from_json(through_the_wire(to_json(ToWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  const RunTest& read = std::get<RunTest>(*message);
  EXPECT_EQ(read.id, sent.id);
  EXPECT_EQ(read.args, sent.args);
  EXPECT_EQ(read.cwd, sent.cwd);
  EXPECT_EQ(read.env, sent.env);
  EXPECT_EQ(read.umask, sent.umask);
  EXPECT_EQ(read.mode, sent.mode);
  EXPECT_EQ(read.memory_limit, sent.memory_limit);
  EXPECT_EQ(read.prime, sent.prime);
  EXPECT_EQ(read.gpus, sent.gpus);
  EXPECT_EQ(read.process, sent.process);
}

TEST(ToWorkerJson, HoldValuesKeepsEverything) {
  const HoldValues sent{{{"a1", "8004"}, {"b2", ""}}, {{"PATH", "/bin"}, {"\xfe", "raw name"}}};
  const Result<ToWorker> message = to_worker_from_json(through_the_wire(to_json(ToWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  const HoldValues& read = std::get<HoldValues>(*message);
  ASSERT_EQ(read.values.size(), 2u);
  EXPECT_EQ(read.values[0].key, "a1");
  EXPECT_EQ(read.values[0].request, "8004");
  EXPECT_EQ(read.env, sent.env);
}

TEST(FromWorkerJson, ValuesKeepsEverything) {
  const Values sent{{{"a1", "", 0.5, 1ull << 33}, {"b2", "it draws \xff", 0, 0}}};
  const Result<FromWorker> message = from_worker_from_json(through_the_wire(to_json(FromWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  const Values& read = std::get<Values>(*message);
  ASSERT_EQ(read.values.size(), 2u);
  EXPECT_EQ(read.values[0].seconds, 0.5);
  EXPECT_EQ(read.values[0].bytes, 1ull << 33);
  EXPECT_EQ(read.values[1].key, "b2");
  EXPECT_EQ(read.values[1].reason, "it draws \xff");
}

TEST(ToWorkerJson, PreloadKeepsItsPath) {
  const Preload sent{{"a"}, {"/src", "/\xff"}};
  const Result<ToWorker> message = to_worker_from_json(through_the_wire(to_json(ToWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(std::get<Preload>(*message).modules, sent.modules);
  EXPECT_EQ(std::get<Preload>(*message).path, sent.path);
}

TEST(ToWorkerJson, EveryModeHasItsName) {
  for (const auto& [mode, text] :
       {std::pair(RunMode::fork, "fork"), std::pair(RunMode::resident, "resident")}) {
    RunTest sent = run_test();
    sent.mode = mode;
    const json value = through_the_wire(to_json(ToWorker(sent)));
    EXPECT_EQ(value["mode"], text);
    EXPECT_EQ(std::get<RunTest>(to_worker_from_json(value).value()).mode, mode);
  }
}

TEST(FromWorkerJson, IsAsWritten) {
  EXPECT_EQ(to_json(FromWorker(Importing{"torch", true})),
            json::parse(R"({"type": "importing", "module": "torch", "is_trial": true})"));
  EXPECT_EQ(to_json(FromWorker(Done{7, Phase::running, std::nullopt, 11, "t.py::x", "", {}, {1, 2, 3, 0}})),
            json::parse(R"({"type": "done", "id": 7, "phase": "running", "exit_code": null, "signal": 11,
                            "nodeid": "t.py::x", "error": "", "left": [],
                            "milestones": {"begun": 1, "configured": 2, "collected": 3, "tested": 0}})"));
}

TEST(FromWorkerJson, ReadyKeepsEverything) {
  const Ready sent = ready();
  const Result<FromWorker> message = from_worker_from_json(through_the_wire(to_json(FromWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  const Ready& read = std::get<Ready>(*message);
  EXPECT_EQ(read.protocol, version);
  EXPECT_EQ(read.stest_version, sent.stest_version);
  EXPECT_EQ(read.python, sent.python);
  EXPECT_EQ(read.executable, sent.executable);
  ASSERT_EQ(read.preloaded.size(), 2u);
  EXPECT_EQ(read.preloaded[0].name, "torch");
  EXPECT_EQ(read.preloaded[1].seconds, 0.5);
  ASSERT_EQ(read.not_preloaded.size(), 1u);
  EXPECT_EQ(read.not_preloaded[0].name, "threads");
  EXPECT_EQ(read.not_preloaded[0].reason, "it starts threads");
  EXPECT_EQ(read.site_dirs, sent.site_dirs);
  EXPECT_EQ(read.env_reads, sent.env_reads);
  EXPECT_EQ(read.env_readers, sent.env_readers);
  ASSERT_TRUE(read.target);
  EXPECT_EQ(read.target->name, "pkg");
  EXPECT_EQ(read.target->path, sent.target->path);
  EXPECT_EQ(read.target->how, "src");
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_FALSE(read.files[0].ignored);
  EXPECT_TRUE(read.files[1].ignored);
  EXPECT_EQ(read.files[1].module, "mine");
  EXPECT_EQ(read.files[1].path, sent.files[1].path);
  EXPECT_EQ(read.files[1].state.mtime_ns, 4);
  EXPECT_EQ(read.files[1].state.ctime_ns, 8);
  EXPECT_EQ(read.files[1].state.size, 5);
  EXPECT_EQ(read.files[1].state.inode, 6);
}

TEST(FromWorkerJson, ReadyMayHaveNoTarget) {
  Ready sent = ready();
  sent.target.reset();
  const json value = through_the_wire(to_json(FromWorker(sent)));
  EXPECT_TRUE(value["target"].is_null());
  EXPECT_FALSE(std::get<Ready>(from_worker_from_json(value).value()).target);
}

TEST(FromWorkerJson, DoneKeepsEveryPhaseAndEnd) {
  for (const Phase phase : {Phase::forked, Phase::running, Phase::session_finished, Phase::returned,
                            Phase::starts_over, Phase::needs_cold}) {
    const Done sent{1, phase, 3, std::nullopt, "", "why", {{12, 99, "sleep \xff"}}};
    const Result<FromWorker> message = from_worker_from_json(through_the_wire(to_json(FromWorker(sent))));
    ASSERT_TRUE(message) << message.error().message;
    const Done& read = std::get<Done>(*message);
    EXPECT_EQ(read.phase, phase);
    EXPECT_EQ(read.exit_code, 3);
    EXPECT_EQ(read.signal, std::nullopt);
    EXPECT_EQ(read.error, "why");
    ASSERT_EQ(read.left.size(), 1u);
    EXPECT_EQ(read.left[0].pid, 12);
    EXPECT_EQ(read.left[0].start_time, 99u);
    EXPECT_EQ(read.left[0].command, "sleep \xff");
    EXPECT_EQ(read.milestones.configured, 0u);
  }
}

/// Every kind survives the way there, and misses each of its fields but those that may be null.
template <class Message>
void check(const Message& message, Result<Message> (*parse)(const json&)) {
  const json value = through_the_wire(to_json(message));
  const Result<Message> read = parse(value);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->index(), message.index());
  EXPECT_EQ(to_json(*read), value);
  for (const auto& [field, content] : value.items()) {
    json missing = value;
    missing.erase(field);
    const Result<Message> without = parse(missing);
    if (std::set<std::string>{"exit_code", "signal", "target", "milestones"}.contains(field) ||
        (value["type"] == "go_on" && (field == "request" || field == "likes_cuda_since_ns")))
      continue;
    ASSERT_FALSE(without) << value << " without " << field;
    EXPECT_EQ(without.error().code, ErrorCode::bad_request);
    EXPECT_EQ(without.error().message, "message: field '" + field + "' is missing");
  }
}

TEST(ToWorkerJson, EveryKindRoundTrips) {
  for (const ToWorker& message :
       {ToWorker(Preload{{"a", "b"}, {"/src"}}), ToWorker(run_test()), ToWorker(ExpectRun{run_test()}),
        ToWorker(Prime{}), ToWorker(Shrink{true}), ToWorker(GoOn{true, 5, run_test()}),
        ToWorker(Signal{1, 15}), ToWorker(Ping{7}), ToWorker(Shutdown{})}) {
    if (std::holds_alternative<Signal>(message)) {
      EXPECT_FALSE(to_worker_from_json({{"type", "signal"}, {"id", 1}})) << "a signal without its number";
    }
    check(message, &to_worker_from_json);
  }
}

TEST(FromWorkerJson, EveryKindRoundTrips) {
  for (const FromWorker& message :
       {FromWorker(ready()), FromWorker(Importing{"a"}), FromWorker(Started{1, 2}), FromWorker(Done{}),
        FromWorker(Pong{7}), FromWorker(NotPreloadable{"m", "hangs", false}),
        FromWorker(Unable{"why", {"/site"}}),
        FromWorker(Snapshots{{{{"-q"}, true, "", 7}, {{}, false, "why", 8}}}), FromWorker(Processes{2, 3}),
        FromWorker(Stops{true, "why"}), FromWorker(Snapshot{2, 300, true})}) {
    check(message, &from_worker_from_json);
  }
}

TEST(MessageParsing, RefusesUnknownTypesAndValues) {
  EXPECT_EQ(to_worker_from_json({{"type", "ready"}}).error().message, "message: unknown type 'ready'");
  EXPECT_EQ(from_worker_from_json({{"type", "preload"}}).error().message, "message: unknown type 'preload'");
  EXPECT_EQ(from_worker_from_json(json()).error().message, "message must be a JSON object");
  json done = to_json(FromWorker(Done{}));
  done["phase"] = "late";
  EXPECT_EQ(from_worker_from_json(done).error().message, "message: field 'phase' must be a known phase");
  json run = to_json(ToWorker(run_test()));
  for (const json& mode : {json("warm"), json(""), json("Clean")}) {
    run["mode"] = mode;
    EXPECT_EQ(to_worker_from_json(run).error().message, "message: field 'mode' must be a known mode");
  }
  run["mode"] = 1;
  EXPECT_EQ(to_worker_from_json(run).error().message, "message: field 'mode' must be a string");
}

TEST(MessageParsing, RefusesMistypedFields) {
  const auto refused = [](json message, const char* field, const json& value) {
    message[field] = value;
    const auto read = to_worker_from_json(message);
    return read ? "" : read.error().message;
  };
  const json run = to_json(ToWorker(run_test()));
  EXPECT_EQ(refused(run, "memory_limit", -1), "message: field 'memory_limit' must be a whole number from 0");
  EXPECT_EQ(refused(run, "memory_limit", "8GiB"),
            "message: field 'memory_limit' must be a whole number from 0");
  EXPECT_EQ(refused(run, "env", json::array({1})), "message: field 'env' must be an object of strings");
  EXPECT_EQ(refused(to_json(ToWorker(Preload{})), "path", nullptr),
            "message: field 'path' must be a list of strings");
  json greeting = to_json(FromWorker(ready()));
  greeting["files"][0]["ignored"] = "yes";
  EXPECT_FALSE(from_worker_from_json(greeting));
  greeting = to_json(FromWorker(ready()));
  greeting["target"] = "pkg";
  EXPECT_EQ(from_worker_from_json(greeting).error().message, "message: target must be a JSON object");
}

}  // namespace
}  // namespace stest::protocol
