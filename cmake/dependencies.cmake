# The libraries, each as one target, and the Python to embed.
#
#   nlohmann_json::nlohmann_json  tl::expected  tomlplusplus::tomlplusplus  CLI11::CLI11
#   spdlog::spdlog  httplib::httplib  SQLite::SQLite3  GTest::gtest_main (with STEST_BUILD_TESTS)  stest_python

include(FetchContent)
if(POLICY CMP0135)
  cmake_policy(SET CMP0135 NEW)  # Files of an archive are as new as their unpacking.
endif()
include(requirements)
include(header_libraries)

stest_header_library(nlohmann_json
  TARGET nlohmann_json::nlohmann_json HEADERS nlohmann/json.hpp BUNDLE nlohmann SOURCES /include
  PACKAGES nlohmann-json3-dev json-devel nlohmann-json nlohmann_json
  URL https://github.com/nlohmann/json/archive/refs/tags/v3.11.3.tar.gz
  HASH 0d8ef5af7f9794e3263480193c491549b2ba6cc74bb018906202ada498a79406)
stest_header_library(tl-expected
  TARGET tl::expected HEADERS tl/expected.hpp BUNDLE tl/expected.hpp SOURCES /include
  PACKAGES libexpected-dev expected-devel tl-expected tl-expected
  URL https://github.com/TartanLlama/expected/archive/refs/tags/v1.1.0.tar.gz
  HASH 1db357f46dd2b24447156aaf970c4c40a793ef12a8a9c2ad9e096d9801368df6)
stest_header_library(CLI11
  TARGET CLI11::CLI11 HEADERS CLI/CLI.hpp BUNDLE CLI SOURCES /include
  PACKAGES libcli11-dev cli11-devel cli11 cli11
  URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz
  HASH f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)
# Version 2 has no impl/version.
stest_header_library(tomlplusplus
  TARGET tomlplusplus::tomlplusplus HEADERS toml++/impl/version.hpp toml++/impl/version.h
  BUNDLE toml++ SOURCES /include
  PACKAGES libtomlplusplus-dev tomlplusplus-devel tomlplusplus tomlplusplus
  URL https://github.com/marzer/tomlplusplus/archive/refs/tags/v3.4.0.tar.gz
  HASH 8517f65938a4faae9ccf8ebb36631a38c1cadfb5efa85d9a72e15b9e97d25155)
stest_header_library(spdlog
  TARGET spdlog::spdlog HEADERS spdlog/spdlog.h BUNDLE spdlog SOURCES /include
  PACKAGES libspdlog-dev spdlog-devel spdlog spdlog
  URL https://github.com/gabime/spdlog/archive/refs/tags/v1.14.1.tar.gz
  HASH 1586508029a7d0670dfcb2d97575dcdc242d3868a259742b69f100801ab4e16b)
if(_include AND NOT EXISTS "${_include}/spdlog/fmt/bundled/format.h")  # Distributions package fmt apart.
  target_compile_definitions(spdlog::spdlog INTERFACE SPDLOG_FMT_EXTERNAL FMT_HEADER_ONLY)
  stest_bundle("${_include}" fmt)
endif()
# Debian's header is split: its functions are in a shared library, which needs OpenSSL and brotli.
stest_header_library(cpp-httplib
  TARGET httplib::httplib HEADERS httplib.h PATTERN "^inline Server::Server[(]" BUNDLE httplib.h
  DEBIAN_SOURCE PACKAGES - - - cpp-httplib
  URL https://github.com/yhirose/cpp-httplib/archive/refs/tags/v0.15.3.tar.gz
  HASH 2121bbf38871bb2aafb5f7f2b9b94705366170909f434428352187cb0216124e)

include(embedded_python)  # target stest_python
include(sqlite)           # target SQLite::SQLite3
stest_check_requirements()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
target_link_libraries(stest_python INTERFACE Threads::Threads)

if(STEST_BUILD_TESTS)
  find_package(GTest QUIET CONFIG)
  if(TARGET GTest::gtest_main)
    stest_found(GTest "${GTest_VERSION}, ${GTest_DIR}")
  else()
    set(INSTALL_GTEST OFF)
    set(BUILD_GMOCK OFF)
    FetchContent_Declare(googletest URL https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
      URL_HASH SHA256=8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7)
    FetchContent_MakeAvailable(googletest)
    stest_found(googletest fetched)
  endif()
endif()

# A library that a binary does not use is not loaded when it starts: the client is run often.
add_link_options(LINKER:--as-needed)

include(install_paths)    # STEST_BIN_DIR
include(static_runtime)   # target stest_static_runtime
