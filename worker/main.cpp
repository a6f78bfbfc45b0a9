#include "worker/worker_main.hpp"

int main(int argc, char** argv) { return stest::worker_main(argc, argv); }
