#pragma once

#include <filesystem>

namespace stest {

/// The worker from its command line to its exit code. `library`: what was preloaded into the `python` that
/// this process is, see `WorkerHost`; empty in `stest-worker`. Python must not be initialised yet.
int worker_main(int argc, char** argv, const std::filesystem::path& library = {});

}  // namespace stest
