#include "stest/protocol.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/json/json_fields.hpp"
#include "stest/messages.hpp"

namespace stest::protocol {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kPhases{"forked",   "running",     "session_finished",
                                                  "returned", "starts_over", "needs_cold"};
constexpr std::array<std::string_view, 2> kModes{"fork", "resident"};

template <class Enum, std::size_t Count>
void read_name(FieldReader& fields, const char* key, const std::array<std::string_view, Count>& names,
               Enum& out) {
  std::string text;
  fields.read(key, text);
  const auto known = std::find(names.begin(), names.end(), text);
  if (known == names.end()) return fields.mistyped(key, "a known " + std::string(key));
  out = static_cast<Enum>(known - names.begin());
}

template <class T>
json nullable(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json preloaded_json(const std::vector<Ready::Module>& modules) {
  json list = json::array();
  for (const Ready::Module& module : modules) {
    list.push_back({{"name", bytes_to_json(module.name)}, {"seconds", module.seconds}});
  }
  return list;
}

json not_preloaded_json(const std::vector<NotPreloaded>& modules) {
  json list = json::array();
  for (const NotPreloaded& module : modules) {
    list.push_back({{"name", bytes_to_json(module.name)}, {"reason", bytes_to_json(module.reason)}});
  }
  return list;
}

json files_json(const std::vector<Ready::File>& files) {
  json list = json::array();
  for (const Ready::File& file : files) {
    list.push_back({{"module", bytes_to_json(file.module)},
                    {"path", bytes_to_json(file.path)},
                    {"mtime_ns", file.state.mtime_ns},
                    {"ctime_ns", file.state.ctime_ns},
                    {"size", file.state.size},
                    {"inode", file.state.inode},
                    {"ignored", file.ignored}});
  }
  return list;
}

json target_json(const std::optional<Ready::Target>& target) {
  if (!target) return nullptr;
  return {{"name", bytes_to_json(target->name)}, {"path", bytes_to_json(target->path)}, {"how", target->how}};
}

json message_json(const Preload& message) {
  return {{"type", "preload"},
          {"modules", list_to_json(message.modules)},
          {"path", list_to_json(message.path)},
          {"not_preloadable", not_preloaded_json(message.not_preloadable)}};
}
json message_json(const HoldValues& message) {
  auto values = json::array();
  for (const auto& value : message.values) {
    values.push_back({{"key", value.key}, {"request", bytes_to_json(value.request)}});
  }
  return {{"type", "hold_values"}, {"values", std::move(values)}, {"env", environment_to_json(message.env)}};
}
json message_json(const RunTest& message) {
  json value = {{"type", "run_test"},
                {"id", message.id},
                {"args", list_to_json(message.args)},
                {"cwd", bytes_to_json(message.cwd)},
                {"env", environment_to_json(message.env)},
                {"umask", message.umask},
                {"mode", kModes[static_cast<std::size_t>(message.mode)]},
                {"memory_limit", message.memory_limit},
                {"prime", message.prime},
                {"python", message.python},
                {"gpus", list_to_json(message.gpus)}};
  if (message.process) value["process"] = to_json(*message.process);
  return value;
}
json message_json(const ExpectRun& message) {
  auto value = message_json(message.run);
  value["type"] = "expect_run";
  return value;
}
json message_json(const Prime& message) { return {{"type", "prime"}, {"may", message.may}}; }
json message_json(const Shrink& message) { return {{"type", "shrink"}, {"all", message.all}}; }
json message_json(const GoOn& message) {
  json value{{"type", "go_on"}, {"is_last", message.is_last}};
  if (message.likes_cuda_since_ns) value["likes_cuda_since_ns"] = *message.likes_cuda_since_ns;
  if (message.request) value["request"] = message_json(*message.request);
  return value;
}
json message_json(const DumpStack& message) { return {{"type", "dump_stack"}, {"id", message.id}}; }
json message_json(const Signal& message) {
  return {{"type", "signal"}, {"id", message.id}, {"signal", message.signal}};
}
json message_json(const Ping& message) { return {{"type", "ping"}, {"id", message.id}}; }
json message_json(const Shutdown&) { return {{"type", "shutdown"}}; }
json message_json(const Ready& message) {
  return {{"type", "ready"},
          {"protocol", message.protocol},
          {"stest_version", bytes_to_json(message.stest_version)},
          {"python", bytes_to_json(message.python)},
          {"executable", bytes_to_json(message.executable)},
          {"preloaded", preloaded_json(message.preloaded)},
          {"not_preloaded", not_preloaded_json(message.not_preloaded)},
          {"site_dirs", list_to_json(message.site_dirs)},
          {"files", files_json(message.files)},
          {"env_reads", environment_to_json(message.env_reads)},
          {"env_readers", environment_to_json(message.env_readers)},
          {"target", target_json(message.target)}};
}
json message_json(const Importing& message) {
  return {{"type", "importing"}, {"module", bytes_to_json(message.module)}, {"is_trial", message.is_trial}};
}
json message_json(const Started& message) {
  return {{"type", "started"}, {"id", message.id}, {"pid", message.pid}};
}
json message_json(const Done& message) {
  auto left = json::array();
  for (const Done::Left& process : message.left) {
    left.push_back({{"pid", process.pid},
                    {"start_time", process.start_time},
                    {"command", bytes_to_json(process.command)}});
  }
  return {{"type", "done"},
          {"id", message.id},
          {"phase", kPhases[static_cast<std::size_t>(message.phase)]},
          {"exit_code", nullable(message.exit_code)},
          {"signal", nullable(message.signal)},
          {"nodeid", bytes_to_json(message.nodeid)},
          {"error", bytes_to_json(message.error)},
          {"left", std::move(left)},
          {"milestones",
           {{"begun", message.milestones.begun},
            {"configured", message.milestones.configured},
            {"collected", message.milestones.collected},
            {"tested", message.milestones.tested}}}};
}
json message_json(const Pong& message) { return {{"type", "pong"}, {"id", message.id}}; }
json message_json(const NotPreloadable& message) {
  return {{"type", "not_preloadable"},
          {"module", bytes_to_json(message.module)},
          {"reason", bytes_to_json(message.reason)},
          {"ends_worker", message.ends_worker}};
}

json message_json(const Unable& message) {
  return {{"type", "unable"},
          {"reason", bytes_to_json(message.reason)},
          {"site_dirs", list_to_json(message.site_dirs)}};
}

json message_json(const Snapshots& message) {
  auto lines = json::array();
  for (const auto& line : message.lines) {
    lines.push_back({{"args", list_to_json(line.args)},
                     {"collected", line.collected},
                     {"reason", bytes_to_json(line.reason)},
                     {"run", line.run}});
  }
  return {{"type", "snapshots"}, {"lines", std::move(lines)}};
}

json message_json(const Processes& message) {
  return {{"type", "processes"}, {"values", message.values}, {"resident", message.resident}};
}

json message_json(const Stops& message) {
  return {{"type", "stops"}, {"waits", message.waits}, {"reason", bytes_to_json(message.reason)}};
}

json message_json(const Snapshot& message) {
  return {{"type", "snapshot"},
          {"pid", message.pid},
          {"position_ms", message.position_ms},
          {"pinned", message.pinned},
          {"any_args", message.any_args}};
}

json message_json(const Values& message) {
  auto values = json::array();
  for (const auto& value : message.values) {
    values.push_back({{"key", value.key},
                      {"reason", bytes_to_json(value.reason)},
                      {"seconds", value.seconds},
                      {"bytes", value.bytes}});
  }
  return {{"type", "values"}, {"values", std::move(values)}};
}

void read_not_preloaded(FieldReader& fields, const char* name, std::vector<NotPreloaded>& out) {
  fields.read_objects(name, [&](FieldReader& item) {
    NotPreloaded& module = out.emplace_back();
    item.read("name", module.name);
    item.read("reason", module.reason);
  });
}

void read(FieldReader& fields, Preload& out) {
  fields.read("modules", out.modules);
  fields.read("path", out.path);
  read_not_preloaded(fields, "not_preloadable", out.not_preloadable);
}
void read(FieldReader& fields, HoldValues& out) {
  fields.read_objects("values", [&](FieldReader& item) {
    HoldValues::Value& value = out.values.emplace_back();
    item.read("key", value.key);
    item.read("request", value.request);
  });
  fields.read("env", out.env);
}
void read(FieldReader& fields, RunTest& out) {
  fields.read("id", out.id);
  fields.read("args", out.args);
  fields.read("cwd", out.cwd);
  fields.read("env", out.env);
  fields.read("umask", out.umask);
  read_name(fields, "mode", kModes, out.mode);
  fields.read("memory_limit", out.memory_limit);
  fields.read("prime", out.prime);
  fields.read("gpus", out.gpus);
  fields.read("python", out.python);
  fields.read_optional_object("process", [&](FieldReader& item) { read(item, out.process.emplace()); });
}
void read(FieldReader& fields, ExpectRun& out) { read(fields, out.run); }
void read(FieldReader& fields, Prime& out) { fields.read("may", out.may); }
void read(FieldReader& fields, Shrink& out) { fields.read("all", out.all); }
void read(FieldReader& fields, GoOn& out) {
  fields.read("is_last", out.is_last);
  fields.read_optional("likes_cuda_since_ns", out.likes_cuda_since_ns);
  fields.read_optional_object("request", [&](FieldReader& item) { read(item, out.request.emplace()); });
}
void read(FieldReader& fields, Signal& out) {
  fields.read("id", out.id);
  fields.read("signal", out.signal);
}
void read(FieldReader& fields, DumpStack& out) { fields.read("id", out.id); }
void read(FieldReader& fields, Ping& out) { fields.read("id", out.id); }
void read(FieldReader&, Shutdown&) {}
void read(FieldReader& fields, Ready& out) {
  fields.read("protocol", out.protocol);
  fields.read("stest_version", out.stest_version);
  fields.read("python", out.python);
  fields.read("executable", out.executable);
  fields.read_objects("preloaded", [&](FieldReader& item) {
    Ready::Module& module = out.preloaded.emplace_back();
    item.read("name", module.name);
    item.read("seconds", module.seconds);
  });
  read_not_preloaded(fields, "not_preloaded", out.not_preloaded);
  fields.read("site_dirs", out.site_dirs);
  fields.read_objects("files", [&](FieldReader& item) {
    Ready::File& file = out.files.emplace_back();
    item.read("module", file.module);
    item.read("path", file.path);
    item.read("mtime_ns", file.state.mtime_ns);
    item.read("ctime_ns", file.state.ctime_ns);
    item.read("size", file.state.size);
    item.read("inode", file.state.inode);
    item.read("ignored", file.ignored);
  });
  fields.read("env_reads", out.env_reads);
  fields.read("env_readers", out.env_readers);
  fields.read_optional_object("target", [&](FieldReader& item) {
    Ready::Target& target = out.target.emplace();
    item.read("name", target.name);
    item.read("path", target.path);
    item.read("how", target.how);
  });
}
void read(FieldReader& fields, Importing& out) {
  fields.read("module", out.module);
  fields.read("is_trial", out.is_trial);
}
void read(FieldReader& fields, Started& out) {
  fields.read("id", out.id);
  fields.read("pid", out.pid);
}
void read(FieldReader& fields, Done& out) {
  fields.read("id", out.id);
  read_name(fields, "phase", kPhases, out.phase);
  fields.read_optional("exit_code", out.exit_code);
  fields.read_optional("signal", out.signal);
  fields.read("nodeid", out.nodeid);
  fields.read("error", out.error);
  fields.read_objects("left", [&](FieldReader& item) {
    Done::Left& process = out.left.emplace_back();
    item.read("pid", process.pid);
    item.read("start_time", process.start_time);
    item.read("command", process.command);
  });
  fields.read_optional_object("milestones", [&](FieldReader& item) {
    item.read("begun", out.milestones.begun);
    item.read("configured", out.milestones.configured);
    item.read("collected", out.milestones.collected);
    item.read("tested", out.milestones.tested);
  });
}
void read(FieldReader& fields, Pong& out) { fields.read("id", out.id); }
void read(FieldReader& fields, NotPreloadable& out) {
  fields.read("module", out.module);
  fields.read("reason", out.reason);
  fields.read("ends_worker", out.ends_worker);
}

void read(FieldReader& fields, Unable& out) {
  fields.read("reason", out.reason);
  fields.read("site_dirs", out.site_dirs);
}

void read(FieldReader& fields, Snapshots& out) {
  fields.read_objects("lines", [&](FieldReader& item) {
    auto& line = out.lines.emplace_back();
    item.read("args", line.args);
    item.read("collected", line.collected);
    item.read("reason", line.reason);
    item.read("run", line.run);
  });
}

void read(FieldReader& fields, Processes& out) {
  fields.read("values", out.values);
  fields.read("resident", out.resident);
}

void read(FieldReader& fields, Stops& out) {
  fields.read("waits", out.waits);
  fields.read("reason", out.reason);
}

void read(FieldReader& fields, Snapshot& out) {
  fields.read("pid", out.pid);
  fields.read("position_ms", out.position_ms);
  fields.read("pinned", out.pinned);
  fields.read("any_args", out.any_args);
}

void read(FieldReader& fields, Values& out) {
  fields.read_objects("values", [&](FieldReader& item) {
    Values::Value& value = out.values.emplace_back();
    item.read("key", value.key);
    item.read("reason", value.reason);
    item.read("seconds", value.seconds);
    item.read("bytes", value.bytes);
  });
}

template <class Message, class Kind>
Result<Message> parse(FieldReader& fields) {
  Kind message;
  read(fields, message);
  if (Status status = fields.status(); !status) return tl::unexpected(status.error());
  return Message(std::move(message));
}

template <class Message>
struct Parser {
  std::string_view type;
  Result<Message> (*parse)(FieldReader&);
};

constexpr std::array<Parser<ToWorker>, 11> kToWorker{{
    {"preload", parse<ToWorker, Preload>},
    {"hold_values", parse<ToWorker, HoldValues>},
    {"run_test", parse<ToWorker, RunTest>},
    {"expect_run", parse<ToWorker, ExpectRun>},
    {"prime", parse<ToWorker, Prime>},
    {"shrink", parse<ToWorker, Shrink>},
    {"go_on", parse<ToWorker, GoOn>},
    {"signal", parse<ToWorker, Signal>},
    {"dump_stack", parse<ToWorker, DumpStack>},
    {"ping", parse<ToWorker, Ping>},
    {"shutdown", parse<ToWorker, Shutdown>},
}};

constexpr std::array<Parser<FromWorker>, 12> kFromWorker{{
    {"ready", parse<FromWorker, Ready>},
    {"importing", parse<FromWorker, Importing>},
    {"started", parse<FromWorker, Started>},
    {"done", parse<FromWorker, Done>},
    {"pong", parse<FromWorker, Pong>},
    {"not_preloadable", parse<FromWorker, NotPreloadable>},
    {"unable", parse<FromWorker, Unable>},
    {"snapshots", parse<FromWorker, Snapshots>},
    {"processes", parse<FromWorker, Processes>},
    {"stops", parse<FromWorker, Stops>},
    {"snapshot", parse<FromWorker, Snapshot>},
    {"values", parse<FromWorker, Values>},
}};

template <class Message, std::size_t Count>
Result<Message> parse_any(const json& value, const std::array<Parser<Message>, Count>& parsers) {
  std::string type;
  FieldReader fields(value, "message");
  fields.read("type", type);
  if (Status status = fields.status(); !status) return tl::unexpected(status.error());
  for (const Parser<Message>& parser : parsers) {
    if (parser.type == type) return parser.parse(fields);
  }
  return fail(ErrorCode::bad_request, "message: unknown type '" + type + "'");
}

}  // namespace

json to_json(const ToWorker& message) {
  return std::visit([](const auto& kind) { return message_json(kind); }, message);
}

json to_json(const FromWorker& message) {
  return std::visit([](const auto& kind) { return message_json(kind); }, message);
}

Result<ToWorker> to_worker_from_json(const json& value) { return parse_any(value, kToWorker); }

Result<FromWorker> from_worker_from_json(const json& value) { return parse_any(value, kFromWorker); }

}  // namespace stest::protocol
