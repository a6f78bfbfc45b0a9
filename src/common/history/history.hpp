#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/os/fd.hpp"
#include "stest/error.hpp"

struct sqlite3;

namespace stest {

/// The reports of the last runs of a project: the SQLite file `history.db` in the state folder. It holds at
/// most 200 runs and about 64 MiB. Any number of processes may use it.
class History {
 public:
  /// Creates the file, in a folder that exists. Errors: `internal`.
  static Result<History> open(const std::filesystem::path& state_folder);

  /// Adds a report, and removes the oldest ones.
  Status add(const nlohmann::json& report);

  /// A report with its field "id": that of a run, or the last one. Nothing: there is none. The outcome of a
  /// run that was cold is "cold", and there is nothing else on record about it.
  Result<std::optional<nlohmann::json>> run(std::optional<std::int64_t> id = {}) const;

  /// The last runs, newest first, without their tests.
  Result<std::vector<nlohmann::json>> runs(int most) const;

  /// What became of a test in one run.
  struct TestRun {
    std::int64_t run = 0;
    std::int64_t started_at = 0;
    std::string nodeid;
    std::string outcome;
    double duration_s = 0;
  };
  /// Of the tests whose node id contains `text`, newest first.
  Result<std::vector<TestRun>> tests(const std::string& text) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit History(sqlite3* db) : db_(db) {}
  Status execute(const char* sql) const;
  Status insert(const nlohmann::json& report);
  Status trim();

  std::unique_ptr<sqlite3, Close> db_;
};

/// Held from before a run's result is told until its report is written, so that who reads the history after
/// the run finds the report. Nothing if it cannot be had at once.
Fd announce_report(const std::filesystem::path& state_folder);

/// Waits for the reports that are announced, for at most some seconds.
void await_reports(const std::filesystem::path& state_folder);

/// Notes that a cold run begins, of which only this will be on record. Does nothing without a state folder.
void note_cold_run(const std::filesystem::path& state_folder, const std::vector<std::string>& args,
                   const std::string& cwd);

}  // namespace stest
