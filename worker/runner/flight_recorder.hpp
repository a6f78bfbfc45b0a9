#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/os/fd.hpp"
#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What a runner was doing, in memory that it shares with the zygote: one page per run, written
/// without system calls, readable after any death of the runner. A test may close every descriptor,
/// overflow its stack or be killed; the record stays.
/// Owns the mapping; move-only. Only the process that called `claim` writes.
class FlightRecorder {
 public:
  /// Maps a fresh record, to be called before the fork. Errors: `internal`, out of memory.
  static Result<FlightRecorder> create();
  /// The same in `memory`, an empty file, by which another process can `map` it.
  static Result<FlightRecorder> create(const Fd& memory);
  static Result<FlightRecorder> map(const Fd& memory);

  FlightRecorder(FlightRecorder&& other) noexcept;
  FlightRecorder& operator=(FlightRecorder&& other) noexcept;
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;
  ~FlightRecorder();

  /// A run goes on in this one that has begun in the other.
  void continue_from(const FlightRecorder& other);

  /// Makes the calling process the writer; processes that it forks are not.
  void claim();

  /// For a writer that serves run after run: back to the beginning. For whoever hands it the next one.
  void reset();

  void set_phase(protocol::Phase phase);
  /// The test that runs now; empty between tests. Cut at `max_nodeid` bytes.
  void set_nodeid(std::string_view nodeid);

  /// Notes that this run would not have told whether CUDA had been initialised ahead of it; see `_cuda.py`.
  void set_likes_cuda_ahead();

  /// The last word of a process that ends with this code: it has closed every descriptor, and only the kernel
  /// is busy with it.
  void set_exit_code(int code);

  /// Notes that a point is passed now.
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
