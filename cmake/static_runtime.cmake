# Target `stest_static_runtime`: what links it contains the C++ library, and so needs only the C library's own. Not
# every system has the C++ library as an archive; the sanitizers' own code needs the shared one.
# Target `stest_closed_library`: the same for a library that others load; it shows no symbol of what it contains.

include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)
add_library(stest_static_runtime INTERFACE)
set(CMAKE_REQUIRED_LINK_OPTIONS -static-libstdc++ -static-libgcc)
check_cxx_source_compiles("#include <string>\nint main() { return std::string().size(); }" STEST_STATIC_LIBSTDCXX)
if(STEST_STATIC_LIBSTDCXX AND NOT STEST_SANITIZE)
  target_link_options(stest_static_runtime INTERFACE ${CMAKE_REQUIRED_LINK_OPTIONS})
endif()
unset(CMAKE_REQUIRED_LINK_OPTIONS)

add_library(stest_closed_library INTERFACE)
target_link_libraries(stest_closed_library INTERFACE stest_static_runtime)
check_linker_flag(CXX LINKER:--exclude-libs,ALL STEST_EXCLUDE_LIBS)  # zig has none, and needs none for its own.
if(STEST_EXCLUDE_LIBS)
  target_link_options(stest_closed_library INTERFACE LINKER:--exclude-libs,ALL)
endif()
