#include "stest/messages.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace stest {
namespace {

using nlohmann::json;

/// As it arrives on the other side.
json through_the_wire(const json& value) { return json::parse(value.dump()); }

RunRequest request() {
  RunRequest request;
  request.args = {"tests/test_x.py", "-k", "a and \"b\"", "", "\xff\xfe", "\u00e9"};
  request.cwd = "/home/me/\xe9";
  request.env = {{"PATH", "/bin"}, {"EMPTY", ""}, {"RAW", "\x80"}, {"LINES", "a\nb"}};
  request.umask = 077;
  request.cold_pid = 4321;
  request.python = true;
  request.merge_streams = true;
  request.process.emplace().affinity = {1};
  request.process->nice = 3;
  return request;
}

std::string request_error(const json& value) {
  const Result<RunRequest> request = run_request_from_json(value);
  if (request) return "";
  EXPECT_EQ(request.error().code, ErrorCode::bad_request);
  return request.error().message;
}

json valid_request() { return {{"args", json::array()}, {"cwd", "/"}, {"env", json::object()}}; }

json with(const char* field, const json& value) {
  json request = valid_request();
  request[field] = value;
  return request;
}

TEST(BytesJson, Utf8IsAStringAndTheRestIsBase64) {
  EXPECT_EQ(bytes_to_json("caf\u00e9"), json("caf\u00e9"));
  EXPECT_EQ(bytes_to_json("caf\xe9"), json::parse(R"({"base64": "Y2Fm6Q=="})"));
  for (const std::string& bytes : {std::string(), std::string("a\0b", 3), std::string("\xff\0", 2)}) {
    EXPECT_EQ(bytes_from_json(through_the_wire(bytes_to_json(bytes))), bytes);
  }
}

TEST(BytesJson, RefusesOtherForms) {
  for (const json& value : {json(1), json(nullptr), json::array(), json::object(), json{{"base64", 1}},
                            json{{"base64", "="}}, json{{"base64", ""}, {"more", 1}}}) {
    const Result<std::string> bytes = bytes_from_json(value);
    ASSERT_FALSE(bytes) << value;
    EXPECT_EQ(bytes.error().code, ErrorCode::bad_request);
  }
}

TEST(RunRequestJson, RoundTripsEveryByte) {
  const RunRequest sent = request();
  const Result<RunRequest> read = run_request_from_json(through_the_wire(to_json(sent)));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->args, sent.args);
  EXPECT_EQ(read->cwd, sent.cwd);
  EXPECT_EQ(read->env, sent.env);
  EXPECT_EQ(read->umask, sent.umask);
  EXPECT_EQ(read->process, sent.process);
  EXPECT_EQ(read->merge_streams, sent.merge_streams);
  EXPECT_EQ(read->wait, sent.wait);
  EXPECT_EQ(read->python, sent.python);
  EXPECT_EQ(read->cold_pid, sent.cold_pid);
}

TEST(RunRequestJson, UmaskAndMergedStreamsHaveDefaults) {
  const Result<RunRequest> read = run_request_from_json(valid_request());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->umask, 022);
  EXPECT_FALSE(read->merge_streams);
  EXPECT_TRUE(read->wait);
}

TEST(RunRequestJson, FilesOfTheClientRoundTrip) {
  RunRequest sent = request();
  sent.input = InputFile{{"/proc/7/fd/0", 8, ~0ull}, 12};
  sent.terminal = Terminal{{"/dev/pts/\xe9", 9, 10}, true, false, true};
  const json value = through_the_wire(to_json(sent));
  EXPECT_EQ(value["terminal"]["streams"], json({"stdin", "stderr"}));
  const Result<RunRequest> read = run_request_from_json(value);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_json(*read), to_json(sent));
  EXPECT_EQ(read->input->offset, 12u);
  EXPECT_EQ(read->terminal->file.path, sent.terminal->file.path);
  EXPECT_FALSE(read->terminal->out);
}

TEST(RunRequestJson, FilesOfTheClientAreChecked) {
  EXPECT_EQ(request_error(with("stdin", "x")), "run request: stdin must be a JSON object");
  EXPECT_NE(request_error(with("stdin", {{"path", "relative"}})).find("must be an absolute path"),
            std::string::npos);
  EXPECT_NE(request_error(with("stdin", {{"path", "/x"}, {"streams", 1}})).find("unknown field"),
            std::string::npos);
  EXPECT_NE(request_error(with("stdin", {{"path", "/x"}, {"offset", 1ull << 63}}))
                .find("field 'offset' must be from 0 to 9223372036854775807"),
            std::string::npos);
  EXPECT_EQ(request_error(with("stdin", {{"path", "/x"}, {"offset", (1ull << 63) - 1}})), "");
  EXPECT_NE(request_error(with("terminal", {{"path", "/x"}})).find("'streams' is missing"),
            std::string::npos);
  EXPECT_NE(request_error(with("terminal", {{"path", "/x"}, {"streams", {"fd4"}}})).find("of \"stdin\""),
            std::string::npos);
}

TEST(RunRequestJson, MissingFieldsAreNamed) {
  for (const char* field : {"args", "cwd", "env"}) {
    json value = valid_request();
    value.erase(field);
    EXPECT_EQ(request_error(value), std::string("run request: field '") + field + "' is missing");
  }
}

TEST(RunRequestJson, WrongTypesAreNamed) {
  EXPECT_EQ(request_error(with("args", "x")), "run request: field 'args' must be a list of strings");
  EXPECT_EQ(request_error(with("cwd", 1)), "run request: field 'cwd' must be a string");
  EXPECT_EQ(request_error(with("env", json::array({1}))),
            "run request: field 'env' must be an object of strings");
  EXPECT_EQ(request_error(with("umask", "022")), "run request: field 'umask' must be a whole number");
  EXPECT_EQ(request_error(with("merge_streams", 1)),
            "run request: field 'merge_streams' must be true or false");
  EXPECT_EQ(request_error(json::array()), "run request must be a JSON object");
}

TEST(RunRequestJson, UnknownFieldsAreRefused) {
  EXPECT_EQ(request_error(with("argv", 1)), "run request: unknown field 'argv'");
}

TEST(RunRequestJson, WhatNoProcessCanHaveIsRefused) {
  EXPECT_EQ(request_error(with("args", {std::string("a\0", 2)})),
            "run request: field 'args' must be without NUL bytes");
  EXPECT_EQ(request_error(with("cwd", "relative")), "run request: field 'cwd' must be an absolute path");
  EXPECT_EQ(request_error(with("cwd", "")), "run request: field 'cwd' must be an absolute path");
  EXPECT_EQ(request_error(with("umask", 01000)), "run request: field 'umask' must be from 0 to 511");
  EXPECT_EQ(request_error(with("umask", -1)), "run request: field 'umask' must be from 0 to 511");
  EXPECT_EQ(request_error(with("cold_pid", 0)), "run request: field 'cold_pid' must be a process id");
  const std::string env_error = "run request: field 'env' must be made of variables that a process can have";
  EXPECT_EQ(request_error(with("env", {{"", "x"}})), env_error);
  EXPECT_EQ(request_error(with("env", {{"A=B", "x"}})), env_error);
  EXPECT_EQ(request_error(with("env", {{"A", std::string("\0", 1)}})), env_error);
}

TEST(OutcomeNames, RoundTrip) {
  for (const Outcome value : {Outcome::passed, Outcome::failed, Outcome::crashed, Outcome::killed,
                              Outcome::cancelled, Outcome::usage_error, Outcome::internal_error}) {
    EXPECT_EQ(outcome(name(value)), value);
  }
  EXPECT_EQ(outcome("nonsense"), std::nullopt);
}

TEST(OutcomeOfPytest, OnlyZeroIsPassed) {
  EXPECT_EQ(outcome_of_pytest(0), Outcome::passed);
  EXPECT_EQ(outcome_of_pytest(1), Outcome::failed);
  EXPECT_EQ(outcome_of_pytest(2), Outcome::failed);
  EXPECT_EQ(outcome_of_pytest(3), Outcome::internal_error);
  EXPECT_EQ(outcome_of_pytest(4), Outcome::usage_error);
  EXPECT_EQ(outcome_of_pytest(5), Outcome::failed);
  EXPECT_EQ(outcome_of_pytest(42), Outcome::failed);
  EXPECT_EQ(outcome_of_pytest(-1), Outcome::failed);
}

std::string event_name(const Event& event) { return to_json(event)["event"].get<std::string>(); }

class EventJson : public testing::TestWithParam<std::pair<Event, const char*>> {};

TEST_P(EventJson, IsAsWrittenAndRoundTrips) {
  const auto& [event, text] = GetParam();
  const json value = to_json(event);
  EXPECT_EQ(value, json::parse(text));
  const Result<Event> read = event_from_json(through_the_wire(value));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->index(), event.index());
  EXPECT_EQ(to_json(*read), value);
}

TEST_P(EventJson, EveryFieldIsNeeded) {
  const json value = to_json(GetParam().first);
  for (const auto& [field, ignored] : value.items()) {
    if (std::set<std::string>{"reloaded", "running", "expected_s", "terminal", "timings", "unfinished",
                              "worker"}
            .count(field))
      continue;
    json missing = value;
    missing.erase(field);
    const Result<Event> read = event_from_json(missing);
    ASSERT_FALSE(read) << field;
    EXPECT_EQ(read.error().message, "event: field '" + field + "' is missing");
    json mistyped = value;
    mistyped[field] = json::array();
    EXPECT_FALSE(event_from_json(mistyped)) << field;
  }
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, EventJson,
    testing::Values(
        std::pair<Event, const char*>(event::Queued{7, 2, {{5, {"-x"}, "t.py::a", 1.5}}},
                                      R"({"event": "queued", "id": 7, "position": 2,
                "running": [{"id": 5, "args": ["-x"], "nodeid": "t.py::a", "seconds": 1.5}]})"),
        std::pair<Event, const char*>(
            event::Warming{"torch", 1.5, 4.0},
            R"({"event": "warming", "module": "torch", "elapsed_s": 1.5, "expected_s": 4.0})"),
        std::pair<Event, const char*>(
            event::Warming{"", 0.5},
            R"({"event": "warming", "module": "", "elapsed_s": 0.5, "expected_s": null})"),
        std::pair<Event, const char*>(
            event::Started{~0ull, 123, true},
            R"({"event": "started", "id": 18446744073709551615, "pid": 123, "terminal": true})"),
        std::pair<Event, const char*>(event::Output{Stream::out, "line\n"},
                                      R"({"event": "output", "stream": "stdout", "data": "line\n"})"),
        std::pair<Event, const char*>(
            event::Output{Stream::err, "\xe2\x82"},
            R"({"event": "output", "stream": "stderr", "data": {"base64": "4oI="}})"),
        std::pair<Event, const char*>(
            event::Test{"t.py::test_x[\u00e9]", "call", "failed", 0.25, "gw0"},
            "{\"event\": \"test\", \"nodeid\": \"t.py::test_x[\u00e9]\", \"when\": \"call\", \"outcome\": "
            "\"failed\", \"duration_s\": 0.25, \"worker\": \"gw0\"}"),
        std::pair<Event, const char*>(event::Stuck{30, "t.py::test_x", 31.5, "File"},
                                      R"({"event": "stuck", "seconds": 30.0, "nodeid": "t.py::test_x",
                                          "test_seconds": 31.5, "stack": "File"})"),
        std::pair<Event, const char*>(event::Notice{"reloaded a", {"a", "b"}},
                                      R"({"event": "notice", "text": "reloaded a", "reloaded": ["a", "b"]})"),
        std::pair<Event, const char*>(
            event::Done{105,
                        Outcome::crashed,
                        "SIGSEGV",
                        "look",
                        2.5,
                        {1'500'000'000, {{"queue", 500'000'000}, {"tests", 2'000'000'000}}},
                        event::Unfinished{{"t.py::a"}, "t.py::b", 3, true}},
            R"({"event": "done", "exit_code": 105, "outcome": "crashed", "message": "SIGSEGV",
                "hint": "look", "duration_s": 2.5,
                "timings": {"begin_s": 1.5, "stages": [{"stage": "queue", "duration_s": 0.5},
                                                       {"stage": "tests", "duration_s": 2.0}]},
                "unfinished": {"failed": ["t.py::a"], "nodeid": "t.py::b", "not_run": 3, "last_failed": true}})")),
    [](const auto& test) { return event_name(test.param.first) + std::to_string(test.index); });

TEST(EventFromJson, ANoticeMayBeWithoutReloadedModules) {
  const auto read = event_from_json({{"event", "notice"}, {"text", "restarted"}});
  ASSERT_TRUE(read);
  EXPECT_TRUE(std::get<event::Notice>(*read).reloaded.empty());
  const auto full = event_from_json({{"event", "notice"}, {"text", "x"}, {"reloaded", {"a", "b"}}});
  ASSERT_TRUE(full);
  EXPECT_EQ(std::get<event::Notice>(*full).reloaded, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(event_from_json({{"event", "notice"}, {"text", "x"}, {"reloaded", "a"}}).error().message,
            "event: field 'reloaded' must be a list of strings");
}

TEST(EventFromJson, WhatOlderDaemonsDoNotSayMayBeMissing) {
  const auto queued = event_from_json({{"event", "queued"}, {"id", 1}, {"position", 2}});
  ASSERT_TRUE(queued);
  EXPECT_TRUE(std::get<event::Queued>(*queued).running.empty());
  const auto warming = event_from_json({{"event", "warming"}, {"module", "x"}, {"elapsed_s", 1}});
  ASSERT_TRUE(warming);
  EXPECT_FALSE(std::get<event::Warming>(*warming).expected_s);
  json done = to_json(Event(event::Done{}));
  EXPECT_TRUE(done["unfinished"].is_null());
  done.erase("timings");
  done.erase("unfinished");
  EXPECT_TRUE(event_from_json(done));
}

TEST(EventFromJson, KeepsTimingsToTheNanosecond) {
  const Timings timings{123'456'789'012'345, {{"tests", 1}, {"exit", 987'654'321}}};
  const auto read =
      event_from_json(through_the_wire(to_json(Event(event::Done{0, Outcome::passed, "", "", 0, timings}))));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<event::Done>(*read).timings, timings);
}

TEST(EventFromJson, RefusesUnknownKindsAndValues) {
  EXPECT_EQ(event_from_json({{"event", "party"}}).error().message, "event: unknown kind 'party'");
  EXPECT_EQ(event_from_json({{"event", "output"}, {"stream", "stdin"}, {"data", ""}}).error().message,
            "event: field 'stream' must be \"stdout\" or \"stderr\"");
  json done = to_json(Event(event::Done{}));
  done["outcome"] = "splendid";
  EXPECT_EQ(event_from_json(done).error().message, "event: field 'outcome' must be a known outcome");
  done["timings"]["begin_s"] = -1;
  EXPECT_EQ(event_from_json(done).error().message,
            "event: timings: field 'begin_s' must be a number of seconds from 0");
  EXPECT_FALSE(event_from_json(json()));
}

TEST(ErrorJson, RoundTrips) {
  const Error error{ErrorCode::config, "bad \xff", "mend it"};
  const json value = through_the_wire(to_json(error));
  EXPECT_EQ(value["error"], "config");
  const Error read = error_from_json(value);
  EXPECT_EQ(read.code, error.code);
  EXPECT_EQ(read.message, error.message);
  EXPECT_EQ(read.hint, error.hint);
}

TEST(ErrorJson, UnreadableErrorsAreInternal) {
  EXPECT_EQ(error_from_json(json("x")).code, ErrorCode::internal);
  EXPECT_NE(error_from_json({{"error", "config"}}).message.find("'message' is missing"), std::string::npos);
  const Error unknown = error_from_json({{"error", "novel"}, {"message", "m"}});
  EXPECT_EQ(unknown.code, ErrorCode::internal);
  EXPECT_EQ(unknown.message, "m");
}

}  // namespace
}  // namespace stest
