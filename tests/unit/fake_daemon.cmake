# The fake daemon of client_fake_stestd.cpp, which must be called `stestd`, and a copy of `stest` that
# finds it beside itself.

add_executable(stest_fake_daemon ${CMAKE_CURRENT_LIST_DIR}/client_fake_stestd.cpp)
target_link_libraries(stest_fake_daemon PRIVATE stest_options stest_common httplib::httplib)
set(STEST_FAKE_DIR ${CMAKE_CURRENT_BINARY_DIR}/fake)
set_target_properties(stest_fake_daemon PROPERTIES
  OUTPUT_NAME stestd
  RUNTIME_OUTPUT_DIRECTORY ${STEST_FAKE_DIR})
add_custom_command(
  TARGET stest_fake_daemon POST_BUILD
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:stest> ${STEST_FAKE_DIR}/stest)
add_dependencies(stest_fake_daemon stest)

# Lets `target` start both.
function(stest_use_fake_daemon target)
  target_compile_definitions(${target} PRIVATE
    STEST_FAKE_STESTD="${STEST_FAKE_DIR}/stestd"
    STEST_FAKE_STEST="${STEST_FAKE_DIR}/stest")
  add_dependencies(${target} stest_fake_daemon)
endfunction()
