#include "worker/worker_main.hpp"

/// Called by `libstest_watch.so` in place of the main function of a `python`.
extern "C" __attribute__((visibility("default"))) int stest_worker_main(int argc, char** argv,
                                                                        const char* library) {
  return stest::worker_main(argc, argv, library);
}
