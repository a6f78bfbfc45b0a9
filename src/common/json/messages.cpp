#include "stest/messages.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/bytes.hpp"
#include "common/json/json_fields.hpp"

namespace stest {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<Outcome, std::string_view>, 8> kOutcomes{{
    {Outcome::passed, "passed"},
    {Outcome::failed, "failed"},
    {Outcome::crashed, "crashed"},
    {Outcome::killed, "killed"},
    {Outcome::hung, "hung"},
    {Outcome::cancelled, "cancelled"},
    {Outcome::usage_error, "usage_error"},
    {Outcome::internal_error, "internal_error"},
}};

struct CancelRow {
  CancelHow how;
  std::string_view name;
  int signal;
};

constexpr std::array<CancelRow, 3> cancel_rows{{{CancelHow::interrupt, "interrupt", SIGINT},
                                                {CancelHow::terminate, "terminate", SIGTERM},
                                                {CancelHow::kill, "kill", SIGKILL}}};

bool has_nul(std::string_view bytes) { return bytes.find('\0') != bytes.npos; }

bool is_variable(const std::pair<const std::string, std::string>& variable) {
  const auto& [name, value] = variable;
  return !name.empty() && name.find('=') == name.npos && !has_nul(name) && !has_nul(value);
}

/// Reports values that the system calls of a run would cut off or reject.
void check_for_system(FieldReader& fields, const RunRequest& request) {
  if (std::any_of(request.args.begin(), request.args.end(), has_nul)) {
    fields.mistyped("args", "without NUL bytes");
  }
  if (request.cwd.empty() || request.cwd[0] != '/' || has_nul(request.cwd)) {
    fields.mistyped("cwd", "an absolute path");
  }
  if (!std::all_of(request.env.begin(), request.env.end(), is_variable)) {
    fields.mistyped("env", "made of variables that a process can have");
  }
  if (request.umask < 0 || request.umask > 0777) fields.mistyped("umask", "from 0 to 511");
  if (request.cold_pid && *request.cold_pid < 1) fields.mistyped("cold_pid", "a process id");
}

json file_json(const OpenFile& file) {
  return {{"path", bytes_to_json(file.path)}, {"device", file.device}, {"inode", file.inode}};
}

void read(FieldReader& fields, OpenFile& out) {
  fields.read("path", out.path);
  fields.read_optional("device", out.device);
  fields.read_optional("inode", out.inode);
  const bool absolute = !out.path.empty() && out.path[0] == '/' && !has_nul(out.path);
  if (!absolute) fields.mistyped("path", "an absolute path");
}

json input_json(const InputFile& input) {
  auto value = file_json(input.file);
  value["offset"] = input.offset;
  return value;
}

void read(FieldReader& fields, InputFile& out) {
  fields.refuse_others({"path", "device", "inode", "offset"});
  read(fields, out.file);
  fields.read_optional("offset", out.offset);
  constexpr auto most = std::numeric_limits<std::int64_t>::max();  // More would be a negative off_t.
  if (out.offset > most) fields.mistyped("offset", "from 0 to " + std::to_string(most));
}

/// The standard streams by their names in JSON.
constexpr std::array<std::pair<std::string_view, bool Terminal::*>, 3> kStreams{
    {{"stdin", &Terminal::in}, {"stdout", &Terminal::out}, {"stderr", &Terminal::err}}};

json terminal_json(const Terminal& terminal) {
  auto value = file_json(terminal.file);
  value["streams"] = json::array();
  for (const auto& [name, member] : kStreams) {
    if (terminal.*member) value["streams"].push_back(name);
  }
  return value;
}

void read(FieldReader& fields, Terminal& out) {
  std::vector<std::string> streams;
  fields.refuse_others({"path", "device", "inode", "streams"});
  read(fields, out.file);
  fields.read("streams", streams);
  for (const auto& stream : streams) {
    const auto* row =
        std::find_if(kStreams.begin(), kStreams.end(), [&](auto& r) { return r.first == stream; });
    if (row == kStreams.end()) return fields.mistyped("streams", R"(of "stdin", "stdout" and "stderr")");
    out.*row->second = true;
  }
}

constexpr double ns_per_s = 1e9;

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / ns_per_s; }

void read_seconds(FieldReader& fields, const char* field, std::uint64_t& out_ns) {
  double value = 0;
  fields.read(field, value);
  const bool fits = value >= 0 && value < ns_per_s;  // Thirty years.
  if (!fits) return fields.mistyped(field, "a number of seconds from 0");
  out_ns = static_cast<std::uint64_t>(std::llround(value * ns_per_s));
}

json event_json(const event::Queued& event) {
  auto running = json::array();
  for (const auto& run : event.running) {
    running.push_back({{"id", run.id},
                       {"args", list_to_json(run.args)},
                       {"nodeid", bytes_to_json(run.nodeid)},
                       {"seconds", run.seconds}});
  }
  return {
      {"event", "queued"}, {"id", event.id}, {"position", event.position}, {"running", std::move(running)}};
}
json event_json(const event::Warming& event) {
  return {{"event", "warming"},
          {"module", bytes_to_json(event.module)},
          {"elapsed_s", event.elapsed_s},
          {"expected_s", event.expected_s ? json(*event.expected_s) : json()}};
}
json event_json(const event::Started& event) {
  return {{"event", "started"}, {"id", event.id}, {"pid", event.pid}, {"terminal", event.terminal}};
}
json event_json(const event::Output& event) {
  return {{"event", "output"},
          {"stream", event.stream == Stream::out ? "stdout" : "stderr"},
          {"data", bytes_to_json(event.data)}};
}
json details_json(const event::Details& details) {
  return {{"message", bytes_to_json(details.message)},
          {"file", bytes_to_json(details.file)},
          {"line", details.line},
          {"longrepr", bytes_to_json(details.longrepr)},
          {"output", bytes_to_json(details.output)},
          {"xfail", details.xfail}};
}
json event_json(const event::Test& event) {
  json value = {{"event", "test"},
                {"nodeid", bytes_to_json(event.nodeid)},
                {"when", bytes_to_json(event.when)},
                {"outcome", bytes_to_json(event.outcome)},
                {"duration_s", event.duration_s},
                {"worker", bytes_to_json(event.worker)}};
  if (event.details) value["details"] = details_json(*event.details);
  return value;
}
json event_json(const event::Stuck& event) {
  return {{"event", "stuck"},
          {"seconds", event.seconds},
          {"nodeid", bytes_to_json(event.nodeid)},
          {"test_seconds", event.test_seconds},
          {"stack", bytes_to_json(event.stack)}};
}
json event_json(const event::Notice& event) {
  return {
      {"event", "notice"}, {"text", bytes_to_json(event.text)}, {"reloaded", list_to_json(event.reloaded)}};
}
json timings_json(const Timings& timings) {
  auto stages = json::array();
  for (const auto& stage : timings.stages) {
    stages.push_back({{"stage", stage.name}, {"duration_s", seconds(stage.ns)}});
  }
  return {{"begin_s", seconds(timings.begin_ns)}, {"stages", std::move(stages)}};
}
json unfinished_json(const std::optional<event::Unfinished>& unfinished) {
  if (!unfinished) return nullptr;
  return {{"failed", list_to_json(unfinished->failed)},
          {"nodeid", bytes_to_json(unfinished->nodeid)},
          {"not_run", unfinished->not_run ? json(*unfinished->not_run) : json()},
          {"last_failed", unfinished->last_failed}};
}
json event_json(const event::Done& event) {
  return {{"event", "done"},
          {"exit_code", event.exit_code},
          {"outcome", name(event.outcome)},
          {"message", bytes_to_json(event.message)},
          {"hint", bytes_to_json(event.hint)},
          {"duration_s", event.duration_s},
          {"timings", timings_json(event.timings)},
          {"unfinished", unfinished_json(event.unfinished)}};
}

void read(FieldReader& fields, event::Queued& out) {
  fields.read("id", out.id);
  fields.read("position", out.position);
  fields.read_optional_objects("running", [&](FieldReader& item) {
    event::Running run;
    item.read("id", run.id);
    item.read("args", run.args);
    item.read("nodeid", run.nodeid);
    item.read("seconds", run.seconds);
    out.running.push_back(std::move(run));
  });
}
void read(FieldReader& fields, event::Warming& out) {
  fields.read("module", out.module);
  fields.read("elapsed_s", out.elapsed_s);
  fields.read_optional("expected_s", out.expected_s);
}
void read(FieldReader& fields, event::Started& out) {
  fields.read("id", out.id);
  fields.read("pid", out.pid);
  fields.read_optional("terminal", out.terminal);
}
void read(FieldReader& fields, event::Output& out) {
  std::string stream;
  fields.read("stream", stream);
  fields.read("data", out.data);
  if (stream != "stdout" && stream != "stderr") fields.mistyped("stream", "\"stdout\" or \"stderr\"");
  out.stream = stream == "stdout" ? Stream::out : Stream::err;
}
void read(FieldReader& fields, event::Details& out) {
  fields.read("message", out.message);
  fields.read("file", out.file);
  fields.read("line", out.line);
  fields.read("longrepr", out.longrepr);
  fields.read("output", out.output);
  fields.read("xfail", out.xfail);
}
void read(FieldReader& fields, event::Test& out) {
  fields.read("nodeid", out.nodeid);
  fields.read("when", out.when);
  fields.read("outcome", out.outcome);
  fields.read("duration_s", out.duration_s);
  fields.read_optional("worker", out.worker);
  fields.read_optional_object("details", [&](FieldReader& item) { read(item, out.details.emplace()); });
}
void read(FieldReader& fields, event::Stuck& out) {
  fields.read("seconds", out.seconds);
  fields.read("nodeid", out.nodeid);
  fields.read("test_seconds", out.test_seconds);
  fields.read("stack", out.stack);
}
void read(FieldReader& fields, event::Notice& out) {
  fields.read("text", out.text);
  fields.read_optional("reloaded", out.reloaded);
}
void read(FieldReader& fields, Timings& out) {
  read_seconds(fields, "begin_s", out.begin_ns);
  fields.read_objects("stages", [&](FieldReader& item) {
    Timings::Stage& stage = out.stages.emplace_back();
    item.read("stage", stage.name);
    read_seconds(item, "duration_s", stage.ns);
  });
}
void read(FieldReader& fields, event::Unfinished& out) {
  fields.read("failed", out.failed);
  fields.read("nodeid", out.nodeid);
  fields.read_optional("not_run", out.not_run);
  fields.read("last_failed", out.last_failed);
}
void read(FieldReader& fields, event::Done& out) {
  std::string ended;
  fields.read("exit_code", out.exit_code);
  fields.read("outcome", ended);
  fields.read("message", out.message);
  fields.read("hint", out.hint);
  fields.read("duration_s", out.duration_s);
  fields.read_optional_object("timings", [&](FieldReader& item) { read(item, out.timings); });
  fields.read_optional_object("unfinished", [&](FieldReader& item) { read(item, out.unfinished.emplace()); });
  const std::optional<Outcome> known = outcome(ended);
  if (!known) fields.mistyped("outcome", "a known outcome");
  out.outcome = known.value_or(Outcome::internal_error);
}

template <class Kind>
Result<Event> parse_event(FieldReader& fields) {
  Kind event;
  read(fields, event);
  if (Status status = fields.status(); !status) return tl::unexpected(status.error());
  return event;
}

struct EventParser {
  std::string_view kind;
  Result<Event> (*parse)(FieldReader&);
};

constexpr std::array<EventParser, 8> kEventParsers{{
    {"queued", parse_event<event::Queued>},
    {"warming", parse_event<event::Warming>},
    {"started", parse_event<event::Started>},
    {"output", parse_event<event::Output>},
    {"test", parse_event<event::Test>},
    {"stuck", parse_event<event::Stuck>},
    {"notice", parse_event<event::Notice>},
    {"done", parse_event<event::Done>},
}};

}  // namespace

json bytes_to_json(std::string_view bytes) {
  if (is_utf8(bytes)) return bytes;
  return {{"base64", base64_encode(bytes)}};
}

Result<std::string> bytes_from_json(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.size() == 1 && value.contains("base64") && value["base64"].is_string()) {
    return base64_decode(value["base64"].get_ref<const std::string&>());
  }
  return fail(ErrorCode::bad_request, "neither a string nor {\"base64\": …}");
}

json to_json(const RunRequest& request) {
  json value = {
      {"args", list_to_json(request.args)},
      {"cwd", bytes_to_json(request.cwd)},
      {"env", environment_to_json(request.env)},
      {"umask", request.umask},
      {"merge_streams", request.merge_streams},
      {"wait", request.wait},
      {"python", request.python},
  };
  if (request.cold_pid) value["cold_pid"] = *request.cold_pid;
  if (request.input) value["stdin"] = input_json(*request.input);
  if (request.terminal) value["terminal"] = terminal_json(*request.terminal);
  if (request.process) value["process"] = to_json(*request.process);
  return value;
}

Result<RunRequest> run_request_from_json(const json& value) {
  RunRequest request;
  FieldReader fields(value, "run request");
  fields.refuse_others({"args", "python", "cwd", "env", "umask", "merge_streams", "wait", "cold_pid", "stdin",
                        "terminal", "process"});
  fields.read("args", request.args);
  fields.read_optional("python", request.python);
  fields.read("cwd", request.cwd);
  fields.read("env", request.env);
  fields.read_optional("umask", request.umask);
  fields.read_optional("merge_streams", request.merge_streams);
  fields.read_optional("wait", request.wait);
  fields.read_optional("cold_pid", request.cold_pid);
  fields.read_optional_object("stdin", [&](FieldReader& item) { read(item, request.input.emplace()); });
  fields.read_optional_object("terminal", [&](FieldReader& item) { read(item, request.terminal.emplace()); });
  fields.read_optional_object("process", [&](FieldReader& item) { read(item, request.process.emplace()); });
  check_for_system(fields, request);
  if (Status status = fields.status(); !status) return tl::unexpected(status.error());
  return request;
}

std::string_view name(CancelHow how) { return cancel_rows[static_cast<std::size_t>(how)].name; }

int signal_of(CancelHow how) { return cancel_rows[static_cast<std::size_t>(how)].signal; }

std::optional<CancelHow> cancel_how(std::string_view name) {
  const auto* row = std::find_if(cancel_rows.begin(), cancel_rows.end(),
                                 [&](const CancelRow& one) { return one.name == name; });
  return row == cancel_rows.end() ? std::nullopt : std::optional(row->how);
}

std::string_view name(Outcome outcome) {
  return std::find_if(kOutcomes.begin(), kOutcomes.end(), [&](auto& row) { return row.first == outcome; })
      ->second;
}

std::optional<Outcome> outcome(std::string_view name) {
  for (const auto& [candidate, candidate_name] : kOutcomes) {
    if (candidate_name == name) return candidate;
  }
  return std::nullopt;
}

Outcome outcome_of_pytest(int exit_code) {
  switch (static_cast<ExitCode>(exit_code)) {
    case ExitCode::ok:
      return Outcome::passed;
    case ExitCode::pytest_internal_error:
      return Outcome::internal_error;
    case ExitCode::pytest_usage_error:
      return Outcome::usage_error;
    default:  // pytest returns "interrupted" also if the collection failed.
      return Outcome::failed;
  }
}

json to_json(const Event& event) {
  return std::visit([](const auto& kind) { return event_json(kind); }, event);
}

Result<Event> event_from_json(const json& value) {
  std::string kind;
  FieldReader fields(value, "event");
  fields.read("event", kind);
  if (Status status = fields.status(); !status) return tl::unexpected(status.error());
  for (const EventParser& parser : kEventParsers) {
    if (parser.kind == kind) return parser.parse(fields);
  }
  return fail(ErrorCode::bad_request, "event: unknown kind '" + kind + "'");
}

json to_json(const Error& error) {
  return {{"error", name(error.code)},
          {"message", bytes_to_json(error.message)},
          {"hint", bytes_to_json(error.hint)}};
}

Error error_from_json(const json& value) {
  std::string code;
  Error error;
  FieldReader fields(value, "error");
  fields.read("error", code);
  fields.read("message", error.message);
  fields.read_optional("hint", error.hint);
  if (Status status = fields.status(); !status) {
    return {ErrorCode::internal, "received an invalid error: " + status.error().message, {}};
  }
  error.code = error_code(code).value_or(ErrorCode::internal);
  return error;
}

}  // namespace stest
