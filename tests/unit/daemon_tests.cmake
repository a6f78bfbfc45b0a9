# The daemon's unit tests, with a fake worker that speaks the protocol (tests/support/fake_worker.py).

add_executable(stest_daemon_tests
  daemon/children_test.cpp
  daemon/daemon_test.cpp
  daemon/harness.cpp
  daemon/held_file_test.cpp
  daemon/http/access_test.cpp
  daemon/http/bounded_text_test.cpp
  daemon/http/collected_run_test.cpp
  daemon/http/connection_stream_test.cpp
  daemon/http/connection_threads_test.cpp
  daemon/http/http_server_test.cpp
  daemon/http/pending_connections_test.cpp
  daemon/http/route_table_test.cpp
  daemon/http/server_socket_test.cpp
  daemon/run/answer_watch_test.cpp
  daemon/run/client_files_test.cpp
  daemon/run/event_lines_test.cpp
  daemon/run/gpu_list_test.cpp
  daemon/run/input_wait_test.cpp
  daemon/run/last_failed_test.cpp
  daemon/run/oom_watch_test.cpp
  daemon/run/run_control_test.cpp
  daemon/run/run_pump_test.cpp
  daemon/run/run_queue_test.cpp
  daemon/run/run_result_test.cpp
  daemon/run/run_tally_test.cpp
  daemon/run/shown_output_test.cpp
  daemon/run/running_tests_test.cpp
  daemon/run/silence_watch_test.cpp
  daemon/run/stuck_watch_test.cpp
  daemon/process_report_test.cpp
  daemon/required_files_test.cpp
  daemon/service_test.cpp
  daemon/status_board_test.cpp
  daemon/worker/import_pauses_test.cpp
  daemon/worker/mailbox_test.cpp
  daemon/worker/preload_store_test.cpp
  daemon/worker/warm_values_test.cpp
  daemon/worker/worker_key_test.cpp
  daemon/worker/worker_manager_test.cpp
  daemon/worker/worker_process_test.cpp)
target_link_libraries(stest_daemon_tests PRIVATE
  stest_options stest_daemon stest_client stest_cli httplib::httplib GTest::gtest_main)
target_compile_definitions(stest_daemon_tests PRIVATE
  STEST_FAKE_WORKER="${PROJECT_SOURCE_DIR}/tests/support/fake_worker.py"
  STEST_DAEMON="$<TARGET_FILE:stestd>")
add_dependencies(stest_daemon_tests stestd)
gtest_discover_tests(stest_daemon_tests DISCOVERY_MODE PRE_TEST)
