#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "stest/config.hpp"

namespace stest {

/// The GPUs between which the workers of pytest-xdist take turns, as CUDA_VISIBLE_DEVICES names them: those
/// of the client's list, else all of this machine, as far as `config.gpus` wants them. Empty: nothing is set.
std::vector<std::string> gpu_list(const Config& config, const Environment& env,
                                  const std::filesystem::path& devices = "/dev");

}  // namespace stest
