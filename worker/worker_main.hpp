#pragma once

#include <filesystem>

namespace stest {

/// The worker from its command line to its exit code. `library` is as in `WorkerHost`. Python must not be
/// initialised yet.
int worker_main(int argc, char** argv, const std::filesystem::path& library = {});

}  // namespace stest
