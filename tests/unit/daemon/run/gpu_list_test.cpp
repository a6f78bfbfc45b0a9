#include "daemon/run/gpu_list.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using List = std::vector<std::string>;

TEST(GpuList, OfTheClientElseOfTheMachine) {
  const TemporaryFolder devices;
  Config config;
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", "0"}}), List());
  config.gpus = std::numeric_limits<int>::max();
  EXPECT_EQ(gpu_list(config, {}, devices.path()), List());
  std::ofstream(devices.path() / "nvidia0");
  std::ofstream(devices.path() / "nvidia1");
  std::ofstream(devices.path() / "nvidiactl");
  EXPECT_EQ(gpu_list(config, {}, devices.path()), (List{"0", "1"}));
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", "3,GPU-x,5"}}, devices.path()),
            (List{"3", "GPU-x", "5"}));
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", ""}}, devices.path()), List());
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", "-1"}}, devices.path()), List());
  config.gpus = 1;
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", "3,4"}}, devices.path()), List{"3"});
  config.gpus = List{"7"};
  EXPECT_EQ(gpu_list(config, {{"CUDA_VISIBLE_DEVICES", "3,4"}}, devices.path()), List{"7"});
}

}  // namespace
}  // namespace stest
