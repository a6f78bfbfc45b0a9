#include "cli/mcp/mcp_server.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <iostream>

#include "cli/mcp/mcp_resources.hpp"
#include "cli/mcp/mcp_tools.hpp"
#include "common/bytes.hpp"
#include "common/version.hpp"

namespace stest {
namespace {

using nlohmann::json;

/// Those with a handshake, the newest first.
constexpr std::array<const char*, 2> protocol_versions{"2025-11-25", "2025-06-18"};
/// Has none: each request stands alone.
constexpr const char* stateless_version = "2026-07-28";

enum class RpcCode { parse_error = -32700, unknown_method = -32601, bad_params = -32602 };

struct RpcError {
  RpcCode code;
  std::string message;
};

json error_json(const json& id, const RpcError& error) {
  return {{"jsonrpc", "2.0"},
          {"id", id},
          {"error", {{"code", static_cast<int>(error.code)}, {"message", error.message}}}};
}

json result_json(const json& id, json result) {
  if (!result.empty()) result["resultType"] = "complete";  // Since 2026-07-28; others ignore it.
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

/// Marks an answer that the client must not keep.
json uncached(json result) {
  result["ttlMs"] = 0;
  result["cacheScope"] = "private";
  return result;
}

json about_server() {
  return {
      {"capabilities", {{"tools", json::object()}, {"resources", json::object()}}},
      {"serverInfo", {{"name", "stest"}, {"version", std::string(stest_version())}}},
      {"instructions",
       "Runs this project's pytest tests in a warm process. Use run_tests instead of pytest in a shell."}};
}

json initialized(const json& params) {
  const auto wanted = params.value("protocolVersion", "");
  std::string version = protocol_versions[0];
  for (const auto* known : protocol_versions) {
    if (wanted == known) version = known;
  }
  auto result = about_server();
  result["protocolVersion"] = version;
  return result;
}

json discovered() {
  auto result = about_server();
  result["supportedVersions"] = {stateless_version, protocol_versions[0], protocol_versions[1]};
  return uncached(std::move(result));
}

json call_result(const ToolAnswer& answer) {
  return {{"content", {{{"type", "text"}, {"text", answer.text}}}}, {"isError", answer.is_error}};
}

std::function<void(int, const std::string&)> progress_sender(const json& params,
                                                             std::function<void(const json&)> send) {
  const auto meta = params.find("_meta");
  if (meta == params.end() || !meta->contains("progressToken")) return {};
  const auto token = meta->at("progressToken");
  return [token, send = std::move(send)](int done, const std::string& message) {
    send({{"jsonrpc", "2.0"},
          {"method", "notifications/progress"},
          {"params", {{"progressToken", token}, {"progress", done}, {"message", message}}}});
  };
}

}  // namespace

void McpCall::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (pid_ != 0) ::kill(pid_, SIGTERM);
}

void McpCall::set_process(int pid) {
  const std::lock_guard lock(mutex_);
  pid_ = pid;
  if (cancelled_ && pid_ != 0) ::kill(pid_, SIGTERM);
}

McpServer::~McpServer() {
  for (auto& [id, running] : calls_) running.call->cancel();
  for (auto& [id, running] : calls_) running.thread.join();
}

void McpServer::take_line(const std::string& line) {
  reap();
  const auto message = json::parse(line, nullptr, false);
  if (!message.is_object()) return send(error_json(nullptr, {RpcCode::parse_error, "not a JSON object"}));
  try {
    take(message);
  } catch (const RpcError& error) {
    if (message.contains("id")) send(error_json(message["id"], error));
  } catch (const json::exception& error) {
    if (message.contains("id")) send(error_json(message["id"], {RpcCode::bad_params, error.what()}));
  }
}

void McpServer::take(const json& message) {
  if (!message.contains("method")) return;  // An answer; this server asks nothing.
  const std::string method = message.at("method");
  const auto params = message.value("params", json::object());
  if (method == "notifications/cancelled") return cancel(params);
  if (!message.contains("id")) return;
  if (method == "tools/call") return begin_call(message["id"], params);
  send(result_json(message["id"], answer(method, params)));
}

json McpServer::answer(const std::string& method, const json& params) const {
  if (method == "initialize") return initialized(params);
  if (method == "server/discover") return discovered();
  if (method == "ping") return json::object();
  if (method == "tools/list") return uncached({{"tools", tools_json()}});
  if (method == "resources/list") return uncached({{"resources", resources_json()}});
  if (method == "resources/templates/list") return uncached({{"resourceTemplates", json::array()}});
  if (method == "resources/read") {
    auto contents = read_resource(params.at("uri"));
    if (!contents) throw RpcError{RpcCode::bad_params, contents.error().message};
    return uncached({{"contents", json::array({*std::move(contents)})}});
  }
  throw RpcError{RpcCode::unknown_method, "unknown method " + method};
}

void McpServer::begin_call(const json& id, const json& params) {
  const auto tool = find_tool(params.at("name"));
  if (!tool) throw RpcError{RpcCode::bad_params, "unknown tool " + params.at("name").dump()};
  const auto arguments = params.value("arguments", json::object());
  auto call = std::make_shared<McpCall>(progress_sender(params, [this](const json& note) { send(note); }));
  auto over = std::make_shared<std::atomic<bool>>(false);
  auto work = [this, id, tool, arguments, call, over] {
    ToolAnswer result;
    try {
      result = tool(arguments, *call);
    } catch (const std::exception& error) {
      result = {error.what(), true};
    }
    if (!call->is_cancelled()) send(result_json(id, call_result(result)));
    *over = true;
  };
  auto& running = calls_[id.dump()];
  if (running.thread.joinable()) running.thread.join();
  running = {call, std::thread(std::move(work)), over};
}

void McpServer::cancel(const json& params) {
  const auto found = calls_.find(params.value("requestId", json()).dump());
  if (found != calls_.end()) found->second.call->cancel();
}

void McpServer::reap() {
  for (auto call = calls_.begin(); call != calls_.end();) {
    if (!*call->second.over) {
      ++call;
      continue;
    }
    call->second.thread.join();
    call = calls_.erase(call);
  }
}

void McpServer::send(const json& message) {
  const std::lock_guard lock(writing_);
  (void)write_(message.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

int serve_mcp() {
  McpServer server([](const std::string& text) {
    std::size_t written = 0;
    while (written < text.size()) {
      const auto count = ::write(STDOUT_FILENO, text.data() + written, text.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      written += static_cast<std::size_t>(count);
    }
    return true;
  });
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) server.take_line(line);
  }
  return 0;
}

}  // namespace stest
