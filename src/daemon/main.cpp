#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "common/version.hpp"
#include "daemon/daemon.hpp"

namespace {

int serve(const stest::DaemonOptions& options) {
  const auto ended = stest::run_daemon(options);
  if (ended) return 0;
  const auto& error = ended.error();
  std::fprintf(stderr, "stestd: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "%s\n", error.hint.c_str());
  return static_cast<int>(stest::exit_code(error.code));
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app(
      "The daemon of stest: runs a project's tests on a warm worker. `stest` starts it when needed.");
  stest::DaemonOptions options;
  app.set_version_flag("--version", std::string(stest::stest_version()));
  app.add_option("--root", options.root, "The project's root")->required()->check(CLI::ExistingDirectory);
  app.add_option("--lock-fd", options.lock_fd, "Descriptor that holds the daemon's lock");
  app.add_option("--ready-fd", options.ready_fd, "Descriptor to which the daemon reports that it is ready");
  app.add_option("--package", options.package, "stest's Python package, if the tests' Python has none");
  CLI11_PARSE(app, argc, argv);
  return serve(options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "stestd: %s\n", error.what());
  return static_cast<int>(stest::ExitCode::internal_error);
}
