#include "worker/python/preload.hpp"

#include <pybind11/embed.h>
#include <pybind11/stl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "common/os/process.hpp"
#include "common/version.hpp"
#include "worker/python/file_states.hpp"
#include "worker/python/python_values.hpp"
#include "worker/snapshot/fork.hpp"

namespace py = pybind11;

namespace stest {

namespace {

using Clock = std::chrono::steady_clock;

/// Long enough that a healthy module passes on a busy machine.
constexpr std::chrono::seconds fork_health_deadline{20};

py::dict reasons(const std::vector<protocol::NotPreloaded>& modules) {
  py::dict result;
  for (const auto& [name, reason] : modules) result[py::str(name)] = reason;
  return result;
}

bool has_message(const LineChannel& channel) {
  pollfd readable{channel.fd(), POLLIN, 0};
  return channel.has_buffered_line() || ::poll(&readable, 1, 0) > 0;
}

/// Announces the import of a module, in a trial or here. Returns false if a trial must not begin.
py::cpp_function announcer(const Preloader::Tell& tell, const LineChannel* channel) {
  return [&tell, channel](const std::string& name, bool is_trial) {
    if (is_trial && channel != nullptr && has_message(*channel)) return false;
    tell(protocol::Importing{name, is_trial});
    return true;
  };
}

/// Ignores warnings while it lives. The user's filters (`PYTHONWARNINGS`) apply to runs, and not to stest's
/// own setup.
class Unheard {
 public:
  Unheard() : filters_(py::module_::import("warnings").attr("catch_warnings")()) {
    filters_.attr("__enter__")();
    py::module_::import("warnings").attr("simplefilter")("ignore");
  }
  ~Unheard() {
    try {
      filters_.attr("__exit__")(py::none(), py::none(), py::none());
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("stest's setup");
    }
  }
  Unheard(const Unheard&) = delete;
  Unheard& operator=(const Unheard&) = delete;

 private:
  py::object filters_;
};

/// The Python `Preloader`, entered as by `with`, and left at the end of the scope.
class WithPreloader {
 public:
  WithPreloader(const protocol::Preload& wanted, const Preloader::Tell& tell, const LineChannel* channel)
      : object_(py::module_::import("sprintest.preload._preload")
                    .attr("Preloader")(fs_decode(wanted.path), reasons(wanted.not_preloadable),
                                       announcer(tell, channel), channel == nullptr ? -1 : channel->fd())) {
    object_.attr("__enter__")();
  }
  ~WithPreloader() {
    try {
      object_.attr("__exit__")(py::none(), py::none(), py::none());
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("stest's preloading");
    }
  }
  WithPreloader(const WithPreloader&) = delete;
  WithPreloader& operator=(const WithPreloader&) = delete;

  const py::object& get() const { return object_; }

 private:
  py::object object_;
};

std::optional<protocol::Ready::Target> target(const py::object& found) {
  if (found.is_none()) return std::nullopt;
  const auto field = [&](const char* name) { return fs_encode(py::str(found[name])); };
  return protocol::Ready::Target{field("name"), field("path"), field("how")};
}

std::vector<protocol::Ready::File> files(const py::list& list) {
  std::vector<protocol::Ready::File> result;
  for (const auto& item : list) {
    const auto file = py::reinterpret_borrow<py::dict>(item);
    result.push_back({file["module"].cast<std::string>(), file["path"].cast<std::string>(),
                      file_state_of(file["state"]), file["ignored"].cast<bool>()});
  }
  return result;
}

}  // namespace

Preloader::Preloader(const ProjectCode& project, Environment initial_env, AtStart at_start)
    : initial_env_(std::move(initial_env)), at_start_(std::move(at_start)) {
  account_.env_reads.insert(at_start_.env_reads.begin(), at_start_.env_reads.end());
  const Unheard imports;
  // First, because it notes which modules are there when Python starts.
  py::module_::import("sprintest.process._own");
  py::module_::import("sprintest.preload._preload")
      .attr("set_project")(*fs_decode({project.root, project.target, project.target_path}), project.ignore);
}

bool Preloader::load(const protocol::Preload& wanted, const Tell& tell, const LineChannel* channel) {
  {
    const WithPreloader preloader(wanted, tell, channel);
    for (const auto& name : wanted.modules) {
      const auto start = Clock::now();
      const py::object loaded = preloader.get().attr("load")(name);
      if (loaded.is_none()) break;  // A message came first.
      const auto [reason, is_lasting, is_spoilt] = loaded.cast<std::tuple<std::string, bool, bool>>();
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      if (is_lasting) tell(protocol::NotPreloadable{name, reason, is_spoilt});
      if (is_spoilt) return false;
      if (is_lasting) continue;  // The daemon records it.
      if (reason.empty()) {
        account_.preloaded.push_back({name, seconds});
      } else {
        account_.not_preloaded.push_back({name, reason});
      }
    }
    take_report(preloader.get().attr("report")());
  }
  const Unheard imports;
  own_module("sprintest.run._runner");
  own_module("sprintest.run._program");
  py::module_::import("sprintest.run._plugin");
  py::module_::import("sprintest.preload._preload").attr("freeze")();
  return true;
}

protocol::Values Preloader::hold(const protocol::HoldValues& wanted) {
  py::list values;
  for (const auto& [key, request] : wanted.values) values.append(py::make_tuple(key, request));
  const auto environment = python_environment(stest::apply(environment_changes(), wanted.env));
  const py::list report = py::module_::import("sprintest.values._warm").attr("hold")(values, environment);
  protocol::Values held;
  for (const auto& item : report) {
    held.values.push_back({item["key"].cast<std::string>(), utf8(py::str(item["reason"])),
                           item["seconds"].cast<double>(), item["bytes"].cast<std::uint64_t>()});
  }
  return held;
}

void Preloader::take_report(const py::dict& report) {
  account_.stest_version = stest_version();
  account_.python = report["python"].cast<std::string>();
  account_.executable = report["executable"].cast<std::string>();
  account_.site_dirs = report["site_dirs"].cast<std::vector<std::string>>();
  account_.files = files(report["files"]);
  account_.files.insert(account_.files.end(), at_start_.files.begin(), at_start_.files.end());
  account_.target = target(report["target"]);
  for (auto& [name, value] : report["env_reads"].cast<std::map<std::string, std::optional<std::string>>>()) {
    account_.env_reads.emplace(name, value);
  }
  account_.env_readers = report["env_readers"].cast<std::map<std::string, std::string>>();
}

EnvironmentChanges Preloader::environment_changes() const {
  const py::dict now = py::module_::import("sprintest.preload._preload").attr("environment")();
  return difference(initial_env_, now.cast<Environment>());
}

namespace {

[[noreturn]] void compute_in_fork() {
  int code = 0;
  try {
    py::module_::import("sprintest.preload._fork_health").attr("check_fork_health")();
  } catch (const std::exception&) {
    code = 1;
  }
  ::_exit(code);
}

}  // namespace

std::vector<std::string> site_dirs() {
  try {
    return py::module_::import("sprintest.modules._modules")
        .attr("site_dirs")()
        .cast<std::vector<std::string>>();
  } catch (const std::exception&) {
    return {};
  }
}

std::optional<std::string> check_fork_health() {
  sigchld_fd();
  const pid_t pid = fork_python();
  if (pid == 0) compute_in_fork();
  if (pid < 0) return "cannot fork";
  const bool hangs = !await_end(pid, fork_health_deadline);
  if (hangs) ::kill(pid, SIGKILL);
  const auto status = wait_for(pid);
  if (hangs || !status) return "a fork of the process that imported it hangs";
  if (status->signal)
    return "a fork of the process that imported it is killed by " + signal_name(*status->signal);
  if (status->code != 0) return "a fork of the process that imported it cannot compute with numpy or torch";
  return std::nullopt;
}

}  // namespace stest
