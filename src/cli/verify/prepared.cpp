#include "cli/verify/prepared.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/cancel.hpp"
#include "client/backoff.hpp"
#include "client/client.hpp"

namespace stest {
namespace {

nlohmann::json describe_worker(const RuntimePaths& paths) {
  const auto daemon = read_status(paths.status_file);
  const auto status = daemon ? DaemonClient(daemon->endpoint).status() : Result<nlohmann::json>(nullptr);
  return status && status->is_object() ? status->value("worker", nlohmann::json()) : nlohmann::json();
}

/// Whether values are being loaded. The runs done ahead begin anew when they are held.
bool loads_values(const nlohmann::json& worker) {
  const auto values = worker.value("values", nlohmann::json::array());
  return std::any_of(values.begin(), values.end(), [](const auto& value) {
    const auto state = value.value("state", "");
    return state == "wanted" || state == "loading";
  });
}

bool is_prepared(const nlohmann::json& worker, const Preparation& wanted) {
  return !loads_values(worker) && (!wanted.is_primed || !line_of(worker, wanted.run).is_null());
}

}  // namespace

const nlohmann::json& line_of(const nlohmann::json& worker, std::uint64_t run) {
  static const nlohmann::json none;
  const auto lines = worker.find("snapshots");
  if (lines == worker.end()) return none;
  for (const auto& line : *lines) {
    if (line.value("run", std::uint64_t{0}) == run) return line;
  }
  return none;
}

nlohmann::json await_prepared(const RuntimePaths& paths, const Preparation& preparation,
                              const std::function<void()>& on_leave) {
  using Clock = std::chrono::steady_clock;
  const Canceller canceller({[](auto, auto) {},
                             [&](int signal) {
                               on_leave();
                               leave_by_signal(signal);
                             }});
  auto ready_since = Clock::now();
  for (Backoff backoff;; backoff.wait()) {
    auto worker = describe_worker(paths);
    if (!worker.is_object()) return nullptr;
    if (worker.value("state", "") != "ready") {
      ready_since = Clock::now();
      continue;
    }
    if (is_prepared(worker, preparation)) return worker;
    if (Clock::now() - ready_since > preparation.patience) return worker;
  }
}

}  // namespace stest
