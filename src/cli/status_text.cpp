#include "cli/status_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "common/os/process.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

using nlohmann::json;

const json& field(const json& object, const char* name) {
  static const json nothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nothing : *found;
}

/// A string or a number as text; empty for anything else.
std::string text(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (value.is_number()) return value.dump();
  return bytes_from_json(value).value_or("");
}

std::string seconds(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f s", value);
  return buffer;
}

std::string since(const json& object, const char* name, double now) {
  const auto& value = field(object, name);
  return value.is_number() ? span(now - value.get<double>()) : "?";
}

std::string line(std::string_view label, const std::string& value) {
  if (value.empty()) return {};
  std::string padded(label);
  padded.resize(15, ' ');
  return "  " + padded + value + "\n";
}

std::string headline(const json& status, double now) {
  return "stest " + text(status, "version") + ": " + text(status, "state") + ", pid " + text(status, "pid") +
         ", up " + since(status, "started_at", now) + "\n";
}

std::string worker_line(const json& worker) {
  if (!worker.is_object()) return line("worker", "none; the next run starts it");
  const auto python = text(worker, "python");
  return line("worker", text(worker, "state") + ", pid " + text(worker, "pid") +
                            (python.empty() ? "" : ", Python " + python));
}

std::string other_worker_lines(const json& status) {
  std::string lines;
  for (const auto& one : field(status, "other_workers")) {
    const auto what = text(one, "state") + ", pid " + text(one, "pid") + ": " + text(one, "differs");
    lines += line(lines.empty() ? "other workers" : "", what);
  }
  return lines;
}

std::string target_line(const json& target) {
  const auto path = text(target, "path");
  const auto place = path.empty() ? "not found" : path;
  const auto name = text(target, "name");
  return line("target", name.empty() ? "" : name + ", " + place + " (" + text(target, "how") + ")");
}

struct Package {
  std::string name;
  double seconds = 0;
};

/// The preloaded modules by package, the slowest first. Most of a package's time is that of its first module,
/// which imports the others.
std::vector<Package> packages(const json& worker) {
  std::map<std::string, Package> by_name;
  for (const auto& module : field(worker, "preloaded")) {
    const auto name = text(module, "module");
    const auto& cost = field(module, "seconds");
    auto& package = by_name[name.substr(0, name.find('.'))];
    package.seconds += cost.is_number() ? cost.get<double>() : 0;
  }
  std::vector<Package> sorted;
  for (auto& [name, package] : by_name) {
    package.name = name;
    sorted.push_back(package);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Package& a, const Package& b) { return a.seconds > b.seconds; });
  return sorted;
}

std::string preloaded_line(const json& worker) {
  constexpr std::size_t shown = 8;
  std::string list;
  const auto all = packages(worker);
  for (std::size_t i = 0; i < std::min(all.size(), shown); ++i) {
    list += (list.empty() ? "" : ", ") + all[i].name + " " + seconds(all[i].seconds);
  }
  if (all.size() > shown)
    list += " and " + std::to_string(all.size() - shown) + " more packages (--json --modules lists all)";
  return line("preloaded", list);
}

std::string not_preloaded_lines(const json& worker) {
  std::string lines;
  for (const auto& module : field(worker, "not_preloaded")) {
    lines +=
        line(lines.empty() ? "not preloaded" : "", text(module, "module") + ": " + text(module, "reason"));
  }
  return lines;
}

std::string snapshot_lines(const json& worker) {
  std::string lines;
  for (const auto& one : field(worker, "snapshots")) {
    const auto reason = text(one, "reason");
    const auto state = reason.empty() ? "tests collected" : "tests not collected: " + reason;
    lines += line(lines.empty() ? "snapshots" : "", command_of(one) + ", " + state);
  }
  return lines;
}

std::string value_lines(const json& worker) {
  std::string lines;
  for (const auto& value : field(worker, "values")) {
    const auto& cost = field(value, "seconds");
    const auto& bytes = field(value, "bytes");
    auto what = text(value, "state");
    if (what == "not_held") what = text(value, "reason");
    if (what == "held" && cost.is_number() && bytes.is_number_unsigned()) {
      what = seconds(cost.get<double>()) + ", " + mebibytes(bytes.get<std::uint64_t>());
    }
    lines += line(lines.empty() ? "values" : "", text(value, "name") + ": " + what);
  }
  return lines;
}

std::string test_lines(const json& run, double now) {
  std::string lines;
  for (const auto& test : field(run, "tests")) {
    const auto worker = text(test, "worker");
    if (!worker.empty())
      lines += line("", worker + ": " + text(test, "nodeid") + " for " + since(test, "started_at", now));
  }
  return lines;
}

std::string run_line(const json& run, double now) {
  const bool is_running = field(run, "started_at").is_number();
  auto what = text(run, "state") + " for " + since(run, is_running ? "started_at" : "since", now);
  if (!is_running) what += ", position " + text(run, "position");
  what += " (" + command_of(run) + ")";
  const auto workers = test_lines(run, now);
  const auto nodeid = text(run, "nodeid");
  if (!nodeid.empty() && workers.empty())
    what += ": " + nodeid + " for " + since(run, "test_started_at", now);
  return line("run " + text(run, "id"), what) + workers;
}

std::string run_lines(const json& status, double now) {
  std::string lines;
  for (const auto& run : field(status, "runs")) {
    if (!field(run, "parent").is_number()) lines += run_line(run, now);
  }
  return lines;
}

std::string left_lines(const json& status) {
  std::string lines;
  for (const auto& process : field(status, "left_behind")) {
    lines += line("left", "pid " + text(process, "pid") + " by run " + text(process, "run") + ": " +
                              text(process, "command") + " (`stest stop` ends it)");
  }
  return lines;
}

struct ProcessGroup {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};

/// The purpose of processes with this "role", in words.
std::string purpose(const std::string& role, const std::string& run) {
  if (role == "daemon") return "the daemon, which serves clients";
  if (role == "worker") return "the worker, which holds the loaded modules";
  if (role == "other_worker") return "workers of runs with other variables";
  if (role == "snapshot") return "snapshots, which make the next run sooner";
  if (role == "values") return "the process that holds the values of sprintest.warm";
  if (role == "resident") return "the resident process, which keeps what runs have loaded";
  if (role == "run") return "run " + run;
  if (role == "left_behind") return "left behind by run " + run;
  return "others";
}

/// One line for each purpose, in the order in which the daemon lists them.
std::string memory_lines(const json& status) {
  std::vector<std::string> order;
  std::map<std::string, ProcessGroup> groups;
  std::uint64_t total = 0;
  for (const auto& process : field(status, "processes")) {
    const auto& bytes = field(process, "bytes");
    if (!bytes.is_number_unsigned()) continue;
    const auto key = purpose(text(process, "role"), text(process, "run"));
    auto& group = groups[key];
    if (group.count++ == 0) order.push_back(key);
    group.bytes += bytes.get<std::uint64_t>();
    total += bytes.get<std::uint64_t>();
  }
  std::string lines = order.empty() ? "" : line("memory", mebibytes(total));
  for (const auto& key : order) {
    const auto& group = groups[key];
    const auto count = group.count == 1 ? "" : " (" + std::to_string(group.count) + " processes)";
    lines += line("", mebibytes(group.bytes) + ": " + key + count);
  }
  return lines;
}

std::string last_result_line(const json& last, double now) {
  if (!last.is_object()) return {};
  const auto& duration = field(last, "duration_s");
  return line("last run", text(last, "outcome") + ", exit code " + text(last, "exit_code") +
                              (duration.is_number() ? ", " + seconds(duration.get<double>()) : "") + ", " +
                              since(last, "finished_at", now) + " ago");
}

}  // namespace

std::string span(double seconds) {
  const auto whole = std::lround(std::max(seconds, 0.0));
  if (whole < 120) return std::to_string(whole) + " s";
  if (whole < 7200) return std::to_string(whole / 60) + " min";
  return std::to_string(whole / 3600) + " h";
}

std::string command_of(const json& run) {
  std::string command = field(run, "python") == true ? "stest python" : "stest";
  for (const auto& arg : field(run, "args")) command += " " + bytes_from_json(arg).value_or("?");
  return command;
}

std::string status_text(const json& status, double now) {
  const auto& worker = field(status, "worker");
  return headline(status, now) + line("root", text(status, "root")) + line("python", text(status, "python")) +
         worker_line(worker) + other_worker_lines(status) + target_line(field(worker, "target")) +
         preloaded_line(worker) + not_preloaded_lines(worker) + value_lines(worker) + snapshot_lines(worker) +
         run_lines(status, now) + left_lines(status) + memory_lines(status) +
         last_result_line(field(status, "last_result"), now);
}

}  // namespace stest
