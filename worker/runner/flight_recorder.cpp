#include "worker/runner/flight_recorder.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include "stest/timings.hpp"

namespace stest {

struct FlightRecorder::Record {
  std::atomic<int> writer{0};
  std::atomic<int> phase{0};
  std::atomic<bool> likes_cuda_ahead{false};
  std::atomic<int> exit_code{-1};
  std::atomic<std::size_t> nodeid_size{0};
  protocol::Milestones milestones;  ///< Only read after the writer has ended or has set an exit code.
  char nodeid[max_nodeid];
};

Result<FlightRecorder> FlightRecorder::create() {
  void* memory = ::mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno_error("cannot map the flight recorder");
  return FlightRecorder(new (memory) Record);
}

Result<FlightRecorder> FlightRecorder::map(const Fd& memory) {
  void* mapped = ::mmap(nullptr, sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (mapped == MAP_FAILED) return errno_error("cannot map the flight recorder");
  return FlightRecorder(static_cast<Record*>(mapped));
}

Result<FlightRecorder> FlightRecorder::create(const Fd& memory) {
  if (::ftruncate(memory.get(), sizeof(Record)) != 0) return errno_error("cannot make the flight recorder");
  auto mapped = map(memory);
  if (mapped) new (mapped->record_) Record;
  return mapped;
}

FlightRecorder::FlightRecorder(FlightRecorder&& other) noexcept
    : record_(std::exchange(other.record_, nullptr)) {}

FlightRecorder& FlightRecorder::operator=(FlightRecorder&& other) noexcept {
  std::swap(record_, other.record_);
  return *this;
}

FlightRecorder::~FlightRecorder() {
  if (record_ != nullptr) ::munmap(record_, sizeof(Record));
}

void FlightRecorder::continue_from(const FlightRecorder& other) {
  record_->phase = other.record_->phase.load();
  record_->milestones = other.record_->milestones;
}

void FlightRecorder::claim() { record_->writer = ::getpid(); }

void FlightRecorder::reset() {
  record_->nodeid_size = 0;
  record_->milestones = {};
  record_->likes_cuda_ahead = false;
  record_->phase = static_cast<int>(protocol::Phase::forked);
}

bool FlightRecorder::is_writer() const { return record_->writer == ::getpid(); }

void FlightRecorder::set_phase(protocol::Phase phase) {
  if (is_writer()) record_->phase = static_cast<int>(phase);
}

void FlightRecorder::set_nodeid(std::string_view nodeid) {
  if (!is_writer()) return;
  // The size is zero meanwhile: if the process dies here, a reader sees no name instead of half a name.
  record_->nodeid_size = 0;
  const std::size_t size = std::min(nodeid.size(), max_nodeid);
  std::memcpy(record_->nodeid, nodeid.data(), size);
  record_->nodeid_size = size;
}

void FlightRecorder::set_likes_cuda_ahead() {
  if (is_writer()) record_->likes_cuda_ahead = true;
}

void FlightRecorder::set_exit_code(int code) {
  if (is_writer()) record_->exit_code = code;
}

void FlightRecorder::pass(std::uint64_t protocol::Milestones::*milestone) {
  if (is_writer()) record_->milestones.*milestone = monotonic_ns();
}

protocol::Phase FlightRecorder::phase() const { return static_cast<protocol::Phase>(record_->phase.load()); }

std::string FlightRecorder::nodeid() const { return {record_->nodeid, record_->nodeid_size}; }

bool FlightRecorder::likes_cuda_ahead() const { return record_->likes_cuda_ahead; }

std::optional<int> FlightRecorder::exit_code() const {
  const int code = record_->exit_code;
  return code < 0 ? std::nullopt : std::optional(code);
}

protocol::Milestones FlightRecorder::milestones() const { return record_->milestones; }

}  // namespace stest
