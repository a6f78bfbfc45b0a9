#include "cli/daemons.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/status_text.hpp"
#include "cli/terminal/ansi_filter.hpp"
#include "client/daemon_stopper.hpp"
#include "common/os/process.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

/// No client can reach the daemon from here.
constexpr const char* unreachable = "unreachable";

using Row = std::array<std::string, 6>;

std::string state_text(const FoundDaemon& daemon, double now) {
  if (!daemon.status) return unreachable;
  return daemon.status->state + " for " + span(now - static_cast<double>(daemon.status->since));
}

std::string root_text(const FoundDaemon& daemon) {
  auto text = daemon.paths.root.string();
  if (daemon.is_root_gone) text += " (deleted)";
  if (daemon.is_executable_deleted) text += " (its stestd was deleted or replaced)";
  return plain_text(text);
}

Row row(const FoundDaemon& daemon, double now) {
  return {std::to_string(daemon.process.pid),
          state_text(daemon, now),
          span(now - static_cast<double>(daemon.started_at)),
          mebibytes(daemon.memory),
          plain_text(daemon.python.string()),
          root_text(daemon)};
}

/// The number of characters, for valid UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string aligned(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width(cells[i]));
  }
  std::string text;
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
      text += cells[i] + std::string(widths[i] - width(cells[i]) + 2, ' ');
    }
    text += cells.back() + "\n";
  }
  return text;
}

nlohmann::json daemon_to_json(const FoundDaemon& daemon) {
  const auto& status = daemon.status;
  return {{"pid", daemon.process.pid},
          {"root", bytes_to_json(daemon.paths.root.string())},
          {"root_exists", !daemon.is_root_gone},
          {"state_folder", bytes_to_json(daemon.paths.directory.string())},
          {"python", bytes_to_json(daemon.python.string())},
          {"executable", bytes_to_json(daemon.executable.string())},
          {"executable_deleted", daemon.is_executable_deleted},
          {"version", status ? nlohmann::json(status->version) : nlohmann::json()},
          {"state", status ? status->state : unreachable},
          {"since", status ? nlohmann::json(status->since) : nlohmann::json()},
          {"started_at", daemon.started_at},
          {"bytes", daemon.memory},
          {"processes", daemon.processes}};
}

void print_all(Console& console, const std::string& text) { console.write(Stream::out, text); }

bool stop_one(const FoundDaemon& daemon, Console& console) {
  const auto stopped = stop_daemon(daemon);
  if (!stopped) {
    console.say(stopped.error());
    return false;
  }
  print_all(console, plain_text("stest: the daemon of " + daemon.paths.root.string() + " (pid " +
                                std::to_string(stopped->pid) + ")" +
                                (stopped->by_force ? " did not answer and was killed" : " has stopped")) +
                         "\n");
  return true;
}

}  // namespace

std::string daemons_text(const std::vector<FoundDaemon>& daemons, double now) {
  if (daemons.empty()) return "stest: no daemon of this user is running\n";
  std::vector<Row> rows{{"PID", "STATE", "UP", "MEMORY", "PYTHON", "ROOT"}};
  for (const auto& daemon : daemons) rows.push_back(row(daemon, now));
  return aligned(rows);
}

std::string daemons_json(const std::vector<FoundDaemon>& daemons) {
  auto list = nlohmann::json::array();
  for (const auto& daemon : daemons) list.push_back(daemon_to_json(daemon));
  return nlohmann::json{{"daemons", std::move(list)}}.dump(2, ' ', false,
                                                           nlohmann::json::error_handler_t::replace) +
         "\n";
}

ExitCode list_daemons(bool json, Console& console) {
  const auto daemons = find_daemons();
  print_all(console,
            json ? daemons_json(daemons) : daemons_text(daemons, static_cast<double>(std::time(nullptr))));
  return ExitCode::ok;
}

ExitCode stop_all_daemons(Console& console) {
  const auto daemons = find_daemons();
  if (daemons.empty()) print_all(console, daemons_text({}, 0));
  bool all_ended = true;
  for (const auto& daemon : daemons) all_ended = stop_one(daemon, console) && all_ended;
  return all_ended ? ExitCode::ok : ExitCode::daemon_unavailable;
}

}  // namespace stest
