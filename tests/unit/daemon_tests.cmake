# The daemon's unit tests, with a fake worker that speaks the protocol (tests/support/fake_worker.py).

add_executable(stest_daemon_tests
  daemon_access_test.cpp
  daemon_answer_watch_test.cpp
  daemon_bounded_text_test.cpp
  daemon_children_test.cpp
  daemon_client_files_test.cpp
  daemon_collected_run_test.cpp
  daemon_connection_stream_test.cpp
  daemon_connection_threads_test.cpp
  daemon_daemon_test.cpp
  daemon_event_lines_test.cpp
  daemon_harness.cpp
  daemon_http_server_test.cpp
  daemon_last_failed_test.cpp
  daemon_mailbox_test.cpp
  daemon_oom_watch_test.cpp
  daemon_preload_store_test.cpp
  daemon_reception_test.cpp
  daemon_route_table_test.cpp
  daemon_run_control_test.cpp
  daemon_run_pump_test.cpp
  daemon_run_queue_test.cpp
  daemon_run_result_test.cpp
  daemon_run_tally_test.cpp
  daemon_server_socket_test.cpp
  daemon_service_test.cpp
  daemon_shown_output_test.cpp
  daemon_silence_watch_test.cpp
  daemon_status_board_test.cpp
  daemon_stuck_watch_test.cpp
  daemon_warm_values_test.cpp
  daemon_worker_key_test.cpp
  daemon_worker_manager_test.cpp
  daemon_worker_process_test.cpp)
target_link_libraries(stest_daemon_tests PRIVATE
  stest_options stest_daemon stest_client stest_cli httplib::httplib GTest::gtest_main)
target_compile_definitions(stest_daemon_tests PRIVATE
  STEST_FAKE_WORKER="${PROJECT_SOURCE_DIR}/tests/support/fake_worker.py"
  STEST_DAEMON="$<TARGET_FILE:stestd>")
add_dependencies(stest_daemon_tests stestd)
gtest_discover_tests(stest_daemon_tests DISCOVERY_MODE PRE_TEST)
