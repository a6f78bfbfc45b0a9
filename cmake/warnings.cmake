# Target `stest_options`: what every target of stest is compiled with. Link it PRIVATE.

add_library(stest_options INTERFACE)
target_compile_options(stest_options INTERFACE
  -Wall
  -Wextra
  -Wpedantic
  -Wshadow
  -Wnon-virtual-dtor)

# GCC 12 sees an overlap in `"x" + std::string` where there is none (gcc.gnu.org, bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(stest_options INTERFACE -Wno-restrict)
endif()
