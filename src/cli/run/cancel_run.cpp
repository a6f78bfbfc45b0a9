#include "cli/run/cancel_run.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/status_text.hpp"

namespace stest {
namespace {

using nlohmann::json;

std::vector<json> runs_in(const json& status, const char* state) {
  std::vector<json> runs;
  for (const auto& run : status.value("runs", json::array())) {
    if (run.value("state", "") == state) runs.push_back(run);
  }
  return runs;
}

std::uint64_t id_of(const json& run) { return run.value("id", std::uint64_t{0}); }

tl::unexpected<Error> no_run(const std::string& message) {
  return fail(ErrorCode::not_running, message, "`stest status` lists all runs.");
}

tl::unexpected<Error> several(const std::vector<json>& runs) {
  std::string list;
  for (const auto& run : runs)
    list += "\n  stest cancel " + std::to_string(id_of(run)) + "   " + command_of(run);
  return fail(ErrorCode::usage, "there are several runs", "say which one:" + list);
}

std::string_view doing(CancelHow how) {
  switch (how) {
    case CancelHow::interrupt:
      return "interrupting";
    case CancelHow::terminate:
      return "terminating";
    case CancelHow::kill:
      break;
  }
  return "killing";
}

}  // namespace

Result<json> choose_run(const json& status, std::optional<std::uint64_t> id) {
  auto runs = runs_in(status, "running");
  const auto waiting = runs_in(status, "queued");
  if (id || runs.empty()) runs.insert(runs.end(), waiting.begin(), waiting.end());
  if (id) std::erase_if(runs, [&](const json& run) { return id_of(run) != *id; });
  if (runs.size() == 1) return runs.front();
  if (!runs.empty()) return several(runs);
  return no_run(id ? "there is no run " + std::to_string(*id) + ": it is over, or never existed"
                   : "there is no run to cancel");
}

Result<ExitCode> cancel_run(const CancelOptions& options, const Project& project, Console& console) {
  const auto daemon = read_status(project.paths.status_file);
  if (!daemon || !is_alive(daemon->process)) {
    return no_run("there is no run to cancel: no daemon is running for " + project.paths.root.string());
  }
  const DaemonClient client(daemon->endpoint);
  const auto status = client.status();
  if (!status) return tl::unexpected(status.error());
  const auto run = choose_run(*status, options.id);
  if (!run) return tl::unexpected(run.error());
  const auto id = id_of(*run);
  const auto cancelled = client.cancel(id, options.how);
  if (!cancelled && cancelled.error().code == ErrorCode::not_found) {
    return no_run("run " + std::to_string(id) + " is over");
  }
  if (!cancelled) return tl::unexpected(cancelled.error());
  console.write(Stream::out, "stest: " + std::string(doing(options.how)) + " run " + std::to_string(id) +
                                 " (" + command_of(*run) + ")\n");
  return ExitCode::ok;
}

}  // namespace stest
