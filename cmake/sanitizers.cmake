# Adds the sanitizers of STEST_SANITIZE (for example "address,undefined") to `stest_options`.

if(STEST_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "STEST_FUZZ needs Clang: -DCMAKE_CXX_COMPILER=clang++")
  endif()
  set(STEST_SANITIZE fuzzer-no-link,address,undefined)
endif()
if(STEST_SANITIZE)
  set(STEST_SANITIZER_FLAGS
    -fsanitize=${STEST_SANITIZE}
    -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  if(STEST_FUZZ)
    list(APPEND STEST_SANITIZER_FLAGS -fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/tests/fuzz/ignorelist.txt)
  endif()
  target_compile_options(stest_options INTERFACE ${STEST_SANITIZER_FLAGS})
  target_link_options(stest_options INTERFACE ${STEST_SANITIZER_FLAGS})
endif()
