# The tests of src/client and src/cli. They start a fake daemon, which must be called `stestd`, and a
# copy of `stest` that finds it beside itself.

add_executable(stest_fake_daemon client/fake_stestd.cpp)
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
  cli/cancel_test.cpp
  cli/command_line/command_app_test.cpp
  cli/command_line/completions_test.cpp
  cli/command_line/help_test.cpp
  cli/command_line/man_page_test.cpp
  cli/command_line/node_ids_test.cpp
  cli/command_line/options_test.cpp
  cli/daemons_test.cpp
  cli/doctor/doctor_installation_test.cpp
  cli/doctor/doctor_machine_test.cpp
  cli/doctor/doctor_predecessor_test.cpp
  cli/doctor/doctor_test.cpp
  cli/logs_test.cpp
  cli/python_choice_test.cpp
  cli/run/cancel_run_test.cpp
  cli/run/crash_fold_test.cpp
  cli/run/output_hold_test.cpp
  cli/run/output_test.cpp
  cli/run/python_test.cpp
  cli/run/report_choice_test.cpp
  cli/run/run_position_test.cpp
  cli/run/run_test.cpp
  cli/run/stack_text_test.cpp
  cli/run/termination_test.cpp
  cli/run/timings_text_test.cpp
  cli/run/wait_line_test.cpp
  cli/status_text_test.cpp
  cli/terminal/ansi_filter_test.cpp
  cli/terminal/console_test.cpp
  cli/terminal/presentation_test.cpp
  cli/terminal/signal_pipe_test.cpp
  cli/terminal/standard_input_test.cpp
  cli/terminal/terminal_link_test.cpp
  cli/terminal/terminal_modes_test.cpp
  cli/verify/advice_test.cpp
  cli/verify/prepared_test.cpp
  cli/verify/run_with_report_test.cpp
  cli/verify/scratch_folder_test.cpp
  cli/verify/test_report_test.cpp
  cli/verify/times_text_test.cpp
  client/client_test.cpp
  client/daemon_launcher_test.cpp
  client/daemon_list_test.cpp
  client/daemon_stopper_test.cpp
  client/http_response_test.cpp
  client/program_test.cpp
  client/python_facts_test.cpp
  client/readiness_test.cpp)
target_link_libraries(stest_unit_tests PRIVATE stest_cli stest_client httplib::httplib)
target_compile_definitions(stest_unit_tests PRIVATE
  STEST_FAKE_STESTD="${STEST_FAKE_DIR}/stestd"
  STEST_FAKE_STEST="${STEST_FAKE_DIR}/stest")
add_dependencies(stest_unit_tests stest_fake_daemon stest_beside_fake_daemon)
