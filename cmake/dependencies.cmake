# The libraries, each as one target: what the system has, else upstream's release pinned by its hash.
# What is fetched is used as headers only (GoogleTest apart), so that none of it is installed with stest.
#
#   nlohmann_json::nlohmann_json  tl::expected  tomlplusplus::tomlplusplus  CLI11::CLI11
#   spdlog::spdlog  httplib::httplib  GTest::gtest_main (with STEST_BUILD_TESTS)  stest_python

include(FetchContent)
if(POLICY CMP0135)
  cmake_policy(SET CMP0135 NEW)  # Files of an archive are as new as their unpacking.
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)

# Where each library came from, for the summary.
set(STEST_DEPENDENCIES "")
macro(stest_found name origin)
  list(APPEND STEST_DEPENDENCIES "${name}: ${origin}")
endmacro()

function(stest_header_target target folder)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${folder}")
endfunction()

# Ends the configure step with one clear message where there is no network.
function(stest_download name debian url archive)
  message(STATUS "${name}: not installed, downloading ${url}")
  file(DOWNLOAD "${url}" "${archive}.part" STATUS status)
  list(POP_FRONT status failed reason)
  if(failed)
    message(FATAL_ERROR "${name} is not installed and ${url} could not be downloaded (${reason}). "
                        "Debian and Ubuntu: apt-get install ${debian}")
  endif()
  file(RENAME "${archive}.part" "${archive}")
endfunction()

# Unpacks `url`; `STEST_FETCHED` is the folder of its sources. Its own CMake project is entered unless
# `STEST_HEADERS_ONLY` follows.
set(STEST_HEADERS_ONLY SOURCE_SUBDIR no-cmake-project)
macro(stest_fetch name debian url hash)
  string(TOLOWER ${name} _lower)
  string(TOUPPER ${name} _upper)
  set(_archive "${FETCHCONTENT_BASE_DIR}/${name}.tar.gz")
  if(NOT FETCHCONTENT_SOURCE_DIR_${_upper} AND NOT EXISTS "${_archive}")
    stest_download(${name} ${debian} "${url}" "${_archive}")
  endif()
  FetchContent_Declare(${name} URL "${_archive}" URL_HASH SHA256=${hash} ${ARGN})
  FetchContent_MakeAvailable(${name})
  set(STEST_FETCHED "${${_lower}_SOURCE_DIR}")
  stest_found(${name} "fetched, ${url}")
endmacro()

# A library that is headers only: its CMake package, else its header, else a download.
macro(stest_header_library name target header debian url hash)
  find_package(${name} QUIET CONFIG)
  if(TARGET ${target})
    stest_found(${name} "${${name}_VERSION}, ${${name}_DIR}")
  else()
    find_path(STEST_${name}_INCLUDE "${header}")
    mark_as_advanced(STEST_${name}_INCLUDE)
    if(STEST_${name}_INCLUDE)
      stest_header_target(${target} "${STEST_${name}_INCLUDE}")
      stest_found(${name} "header, ${STEST_${name}_INCLUDE}")
    else()
      stest_fetch(${name} ${debian} "${url}" ${hash} ${STEST_HEADERS_ONLY})
      stest_header_target(${target} "${STEST_FETCHED}/include")
    endif()
  endif()
endmacro()

stest_header_library(
  nlohmann_json nlohmann_json::nlohmann_json nlohmann/json.hpp nlohmann-json3-dev
  https://github.com/nlohmann/json/archive/refs/tags/v3.11.3.tar.gz
  0d8ef5af7f9794e3263480193c491549b2ba6cc74bb018906202ada498a79406)
stest_header_library(
  tl-expected tl::expected tl/expected.hpp libexpected-dev
  https://github.com/TartanLlama/expected/archive/refs/tags/v1.1.0.tar.gz
  1db357f46dd2b24447156aaf970c4c40a793ef12a8a9c2ad9e096d9801368df6)
stest_header_library(
  CLI11 CLI11::CLI11 CLI/CLI.hpp libcli11-dev
  https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.4.2.tar.gz
  f2d893a65c3b1324c50d4e682c0cdc021dd0477ae2c048544f39eed6654b699a)

# toml++ 3 by its header even where a package exists: Debian's package asks for a shared library, which
# every start of the client would have to load. Version 2 has no impl/version.
find_path(STEST_tomlplusplus_INCLUDE NAMES toml++/impl/version.h toml++/impl/version.hpp)
mark_as_advanced(STEST_tomlplusplus_INCLUDE)
if(STEST_tomlplusplus_INCLUDE)
  stest_header_target(tomlplusplus::tomlplusplus "${STEST_tomlplusplus_INCLUDE}")
  stest_found(tomlplusplus "header, ${STEST_tomlplusplus_INCLUDE}")
else()
  stest_fetch(tomlplusplus libtomlplusplus-dev
              https://github.com/marzer/tomlplusplus/archive/refs/tags/v3.4.0.tar.gz
              8517f65938a4faae9ccf8ebb36631a38c1cadfb5efa85d9a72e15b9e97d25155 ${STEST_HEADERS_ONLY})
  stest_header_target(tomlplusplus::tomlplusplus "${STEST_FETCHED}/include")
endif()

find_package(spdlog QUIET CONFIG)
if(TARGET spdlog::spdlog)
  stest_found(spdlog "${spdlog_VERSION}, ${spdlog_DIR}")
else()
  stest_fetch(spdlog libspdlog-dev https://github.com/gabime/spdlog/archive/refs/tags/v1.14.1.tar.gz
              1586508029a7d0670dfcb2d97575dcdc242d3868a259742b69f100801ab4e16b ${STEST_HEADERS_ONLY})
  stest_header_target(spdlog::spdlog "${STEST_FETCHED}/include")
  target_link_libraries(spdlog::spdlog INTERFACE Threads::Threads)
endif()

# Debian's cpp-httplib is a shared library behind a split header, described by pkg-config alone. Unix
# sockets came with 0.11.1.
find_package(httplib QUIET CONFIG)
if(NOT TARGET httplib::httplib AND PkgConfig_FOUND)
  pkg_check_modules(cpp_httplib QUIET IMPORTED_TARGET GLOBAL cpp-httplib>=0.11.1)
endif()
if(TARGET httplib::httplib)
  stest_found(cpp-httplib "${httplib_VERSION}, ${httplib_DIR}")
elseif(TARGET PkgConfig::cpp_httplib)
  add_library(httplib::httplib ALIAS PkgConfig::cpp_httplib)
  stest_found(cpp-httplib "${cpp_httplib_VERSION}, pkg-config")
else()
  stest_fetch(cpp-httplib libcpp-httplib-dev
              https://github.com/yhirose/cpp-httplib/archive/refs/tags/v0.15.3.tar.gz
              2121bbf38871bb2aafb5f7f2b9b94705366170909f434428352187cb0216124e ${STEST_HEADERS_ONLY})
  stest_header_target(httplib::httplib "${STEST_FETCHED}")
  target_link_libraries(httplib::httplib INTERFACE Threads::Threads)
endif()

if(STEST_BUILD_TESTS)
  find_package(GTest QUIET CONFIG)
  if(TARGET GTest::gtest_main)
    stest_found(GTest "${GTest_VERSION}, ${GTest_DIR}")
  else()
    set(INSTALL_GTEST OFF)
    set(BUILD_GMOCK OFF)
    stest_fetch(googletest libgtest-dev https://github.com/google/googletest/archive/refs/tags/v1.14.0.tar.gz
                8ad598c73ad796e0d8280b082cebd82a630d73e73cd3c70057938a6501bba5d7)
  endif()
endif()

# A library that a binary does not use is not loaded when it starts: the client is run often.
add_link_options(LINKER:--as-needed)

include(embedded_python)  # target stest_python
include(install_paths)    # STEST_BIN_DIR
