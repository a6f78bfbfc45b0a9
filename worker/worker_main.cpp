#include "worker/worker_main.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/os/process.hpp"
#include "common/version.hpp"
#include "worker/python/interpreter.hpp"
#include "worker/python/preload.hpp"
#include "worker/python/python_values.hpp"
#include "worker/zygote.hpp"

namespace {

struct Options {
  stest::WorkerHost host;
  int channel_fd = -1;
  std::string python;
  std::string package;
  stest::ProjectCode project;
  bool probe = false;
  std::vector<std::string> modules;
};

/// `--probe`: imports the modules and returns 0 if forks of this process are healthy. One line of JSON on
/// stdout names the Python, and the reason if they are not.
int probe(const stest::Interpreter& interpreter, stest::Preloader& preloader, const Options& options) {
  std::string unhealthy;
  const bool may_serve = preloader.load({options.modules, {}}, [&](const auto& news) {
    if (const auto* found = std::get_if<stest::protocol::NotPreloadable>(&news)) {
      unhealthy = found->module + " " + found->reason;
    }
  });
  if (may_serve) unhealthy = stest::check_fork_health().value_or("");
  const nlohmann::json answer = {
      {"python", interpreter.version()}, {"prefix", interpreter.prefix()}, {"unhealthy", unhealthy}};
  std::printf("%s\n", answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return unhealthy.empty() ? 0 : 1;
}

int serve(stest::LineChannel& channel, stest::Preloader& preloader, const Options& options) {
  std::vector<std::string> probe{"--probe",
                                 "--python",
                                 options.python,
                                 "--root",
                                 options.project.root,
                                 "--target",
                                 options.project.target,
                                 "--target-path",
                                 options.project.target_path,
                                 "--package",
                                 options.package};
  for (const auto& pattern : options.project.ignore) probe.insert(probe.end(), {"--ignore", pattern});
  stest::Zygote zygote(channel, preloader, options.host, std::move(probe));
  return zygote.serve();
}

/// Makes the daemon do its runs without a worker. `why` is one line; the log has the details.
int give_up(stest::LineChannel& channel, const std::string& why, std::vector<std::string> site_dirs) {
  const stest::protocol::FromWorker message = stest::protocol::Unable{why, std::move(site_dirs)};
  if (channel.fd() >= 0) (void)channel.send(stest::protocol::to_json(message).dump());
  return static_cast<int>(stest::ExitCode::worker_failed);
}

int run_python(stest::LineChannel& channel, const Options& options) {
  const stest::Environment initial = stest::current_environment();
  const auto interpreter = stest::Interpreter::start(options.python);
  if (!interpreter) {
    const auto& error = interpreter.error();
    std::fprintf(stderr, "stest-worker: %s\n%s\n", error.message.c_str(), error.hint.c_str());
    return give_up(channel, error.message, {});
  }
  int code = 0;
  try {
    if (!options.package.empty()) stest::import_package(options.package);
    stest::Preloader preloader(options.project, initial, interpreter->at_start());
    code = options.probe ? probe(*interpreter, preloader, options) : serve(channel, preloader, options);
  } catch (const std::exception& error) {  // A Python error has a message only while `interpreter` exists.
    std::fprintf(stderr, "stest-worker: %s\n", error.what());
    code =
        give_up(channel, interpreter->missing_package().value_or(stest::one_line(error)), stest::site_dirs());
  }
  // No `Py_Finalize`: it takes tenths of a second, and it would call the atexit functions of preloaded
  // modules, which each run calls.
  std::fflush(nullptr);
  ::_exit(code);
}

int run(const Options& options) {
  if (!options.probe) (void)stest::set_cloexec(options.channel_fd, true);
  stest::LineChannel channel{stest::Fd(options.channel_fd)};
  return run_python(channel, options);
}

}  // namespace

namespace stest {

int worker_main(int argc, char** argv, const std::filesystem::path& library) {
  Options options;
  CLI::App app{"stest's worker: embeds Python and runs tests for stestd, which starts it."};
  app.set_version_flag("--version", std::string(stest::stest_version()));
  auto* channel =
      app.add_option("--channel-fd", options.channel_fd, "the socket that is connected to stestd");
  app.add_option("--python", options.python, "the environment's interpreter")->required();
  app.add_option("--package", options.package, "the folder of stest's Python package, if PYTHON has none");
  app.add_option("--root", options.project.root, "the project's root")->required();
  app.add_option("--target", options.project.target, "the name of the package under development");
  app.add_option("--target-path", options.project.target_path, "the folder of that package");
  app.add_option("--ignore", options.project.ignore, "modules of the project that are never unloaded")
      ->allow_extra_args(false);
  app.add_flag("--probe", options.probe, "only check that forks are healthy once MODULES are imported")
      ->excludes(channel);
  app.add_option("modules", options.modules, "the modules that --probe imports");
  CLI11_PARSE(app, argc, argv);
  if (!options.probe && options.channel_fd < 0) {
    std::fprintf(
        stderr,
        "stest-worker: --channel-fd is missing: only stestd starts this program; run stest instead\n");
    return static_cast<int>(stest::ExitCode::usage_error);
  }
  options.host = library.empty() ? WorkerHost{executable_folder() / "stest-worker"}
                                 : WorkerHost{"", options.python, library};
  return run(options);
}

}  // namespace stest
