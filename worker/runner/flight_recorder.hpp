#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/os/fd.hpp"
#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// The phase and the running test of a run, in memory that the runner shares with the zygote. It is written
/// without system calls and stays readable however the runner dies: a test may close every descriptor,
/// overflow the stack or be killed. Owns the mapping; move-only. Only the process that has called `claim`
/// writes.
class FlightRecorder {
 public:
  /// Maps a new record. Must be called before the fork. Errors: `internal`, out of memory.
  static Result<FlightRecorder> create();
  /// Makes a new record in `memory`, an empty file, so that another process can `map` it.
  static Result<FlightRecorder> create(const Fd& memory);
  static Result<FlightRecorder> map(const Fd& memory);

  FlightRecorder(FlightRecorder&& other) noexcept;
  FlightRecorder& operator=(FlightRecorder&& other) noexcept;
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;
  ~FlightRecorder();

  /// Takes over the phase and the milestones of a run that goes on with this recorder.
  void continue_from(const FlightRecorder& other);

  /// Makes the calling process the writer; processes that it forks are not.
  void claim();

  /// Clears the record for the writer's next run. The zygote calls this before it sends that run.
  void reset();

  void set_phase(protocol::Phase phase);
  /// The test that runs now; empty between tests. Cut at `max_nodeid` bytes.
  void set_nodeid(std::string_view nodeid);

  /// Notes that this run would not have noticed if CUDA had been initialised ahead of it; see `_cuda.py`.
  void set_likes_cuda_ahead();

  /// Says that the process ends with this code and has closed every descriptor. From then on the run is over,
  /// even though the kernel still needs time to end the process.
  void set_exit_code(int code);

  /// Sets the milestone to the present time.
  void pass(std::uint64_t protocol::Milestones::*milestone);

  protocol::Phase phase() const;
  std::string nodeid() const;
  protocol::Milestones milestones() const;
  bool likes_cuda_ahead() const;
  std::optional<int> exit_code() const;

  static constexpr std::size_t max_nodeid = 8000;

 private:
  struct Record;
  explicit FlightRecorder(Record* record) : record_(record) {}
  bool is_writer() const;

  Record* record_ = nullptr;
};

}  // namespace stest
