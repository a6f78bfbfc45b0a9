# The tests of src/client and src/cli. They start a fake daemon, which must be called `stestd`, and a
# copy of `stest` that finds it beside itself.

add_executable(stest_fake_daemon client_fake_stestd.cpp)
target_link_libraries(stest_fake_daemon PRIVATE stest_options stest_common httplib::httplib)
set(STEST_FAKE_DIR ${CMAKE_CURRENT_BINARY_DIR}/fake)
set_target_properties(stest_fake_daemon PROPERTIES
  OUTPUT_NAME stestd
  RUNTIME_OUTPUT_DIRECTORY ${STEST_FAKE_DIR})
add_custom_command(
  OUTPUT ${STEST_FAKE_DIR}/stest
  COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:stest> ${STEST_FAKE_DIR}/stest
  DEPENDS stest)
add_custom_target(stest_beside_fake_daemon DEPENDS ${STEST_FAKE_DIR}/stest)

target_sources(stest_unit_tests PRIVATE
  cli_ansi_filter_test.cpp
  cli_cancel_run_test.cpp
  cli_cancel_test.cpp
  cli_console_test.cpp
  cli_doctor_installation_test.cpp
  cli_doctor_machine_test.cpp
  cli_doctor_test.cpp
  cli_help_test.cpp
  cli_logs_test.cpp
  cli_options_test.cpp
  cli_output_hold_test.cpp
  cli_output_test.cpp
  cli_presentation_test.cpp
  cli_program_test.cpp
  cli_pty_test.cpp
  cli_run_position_test.cpp
  cli_run_test.cpp
  cli_scratch_folder_test.cpp
  cli_signal_pipe_test.cpp
  cli_stack_text_test.cpp
  cli_standard_input_test.cpp
  cli_status_text_test.cpp
  cli_terminal_link_test.cpp
  cli_terminal_modes_test.cpp
  cli_termination_test.cpp
  cli_timings_text_test.cpp
  cli_verdict_test.cpp
  cli_wait_notice_test.cpp
  client_client_test.cpp
  client_daemon_launcher_test.cpp
  client_daemon_stopper_test.cpp
  client_http_response_test.cpp
  client_readiness_test.cpp)
target_link_libraries(stest_unit_tests PRIVATE stest_cli stest_client httplib::httplib)
target_compile_definitions(stest_unit_tests PRIVATE
  STEST_FAKE_STESTD="${STEST_FAKE_DIR}/stestd"
  STEST_FAKE_STEST="${STEST_FAKE_DIR}/stest")
add_dependencies(stest_unit_tests stest_fake_daemon stest_beside_fake_daemon)
