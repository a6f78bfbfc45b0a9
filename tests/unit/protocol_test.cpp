#include "stest/protocol.hpp"

#include <gtest/gtest.h>

namespace stest::protocol {
namespace {

using nlohmann::json;

json through_the_wire(const json& value) { return json::parse(value.dump()); }

RunTest run_test() {
  return {7,   {"-x", "\xff"},        "/project", {{"PATH", "/bin"}, {"\xfe", "raw name"}},
          027, {"/project", "/other"}};
}

Ready ready() {
  Ready ready;
  ready.stest_version = "0.1.0";
  ready.python = "3.11.7";
  ready.executable = "/venv/bin/python";
  ready.preloaded = {{"torch", 1.25}, {"numpy", 0.5}};
  ready.left_out = {{"threads", "it starts threads"}};
  ready.site_dirs = {"/venv/lib/python3.11/site-packages"};
  ready.env_reads = {{"OMP_NUM_THREADS", "2"}, {"HF_HOME", std::nullopt}};
  return ready;
}

TEST(ToWorkerJson, IsAsWritten) {
  EXPECT_EQ(to_json(ToWorker(Preload{{"torch"}})),
            json::parse(R"({"type": "preload", "modules": ["torch"]})"));
  EXPECT_EQ(to_json(ToWorker(Signal{7, 2})), json::parse(R"({"type": "signal", "id": 7, "signal": 2})"));
  EXPECT_EQ(to_json(ToWorker(Shutdown{})), json::parse(R"({"type": "shutdown"})"));
}

TEST(ToWorkerJson, RunTestKeepsEverything) {
  const RunTest sent = run_test();
  const Result<ToWorker> message = to_worker_from_json(through_the_wire(to_json(ToWorker(sent))));
  ASSERT_TRUE(message) << message.error().message;
  const RunTest& read = std::get<RunTest>(*message);
  EXPECT_EQ(read.id, sent.id);
  EXPECT_EQ(read.args, sent.args);
  EXPECT_EQ(read.cwd, sent.cwd);
  EXPECT_EQ(read.env, sent.env);
  EXPECT_EQ(read.umask, sent.umask);
  EXPECT_EQ(read.nuke, sent.nuke);
}

TEST(FromWorkerJson, IsAsWritten) {
  EXPECT_EQ(to_json(FromWorker(Importing{"torch"})),
            json::parse(R"({"type": "importing", "module": "torch"})"));
  EXPECT_EQ(to_json(FromWorker(Done{7, Phase::running, std::nullopt, 11, "t.py::x", ""})),
            json::parse(R"({"type": "done", "id": 7, "phase": "running", "exit_code": null, "signal": 11,
                            "nodeid": "t.py::x", "error": ""})"));
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
  ASSERT_EQ(read.left_out.size(), 1u);
  EXPECT_EQ(read.left_out[0].name, "threads");
  EXPECT_EQ(read.left_out[0].reason, "it starts threads");
  EXPECT_EQ(read.site_dirs, sent.site_dirs);
  EXPECT_EQ(read.env_reads, sent.env_reads);
}

TEST(FromWorkerJson, DoneKeepsEveryPhaseAndEnd) {
  for (const Phase phase : {Phase::forked, Phase::running, Phase::session_finished, Phase::returned}) {
    const Done sent{1, phase, 3, std::nullopt, "", "why"};
    const Result<FromWorker> message = from_worker_from_json(through_the_wire(to_json(FromWorker(sent))));
    ASSERT_TRUE(message) << message.error().message;
    const Done& read = std::get<Done>(*message);
    EXPECT_EQ(read.phase, phase);
    EXPECT_EQ(read.exit_code, 3);
    EXPECT_EQ(read.signal, std::nullopt);
    EXPECT_EQ(read.error, "why");
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
    if (field == "exit_code" || field == "signal") continue;
    ASSERT_FALSE(without) << value << " without " << field;
    EXPECT_EQ(without.error().code, ErrorCode::bad_request);
    EXPECT_EQ(without.error().message, "message: field '" + field + "' is missing");
  }
}

TEST(ToWorkerJson, EveryKindRoundTrips) {
  for (const ToWorker& message :
       {ToWorker(Preload{{"a", "b"}}), ToWorker(run_test()), ToWorker(Signal{1, 15}), ToWorker(Shutdown{})}) {
    if (std::holds_alternative<Signal>(message)) {
      EXPECT_FALSE(to_worker_from_json({{"type", "signal"}, {"id", 1}})) << "a signal without its number";
    }
    check(message, &to_worker_from_json);
  }
}

TEST(FromWorkerJson, EveryKindRoundTrips) {
  for (const FromWorker& message :
       {FromWorker(ready()), FromWorker(Importing{"a"}), FromWorker(Started{1, 2}), FromWorker(Done{}),
        FromWorker(Unfit{"m", "hangs"})}) {
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
}

}  // namespace
}  // namespace stest::protocol
