#include "common/history/history.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "common/history/run_record.hpp"

namespace stest {
namespace {

using nlohmann::json;

constexpr const char* schema = R"(
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY AUTOINCREMENT, report TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS tests(run INTEGER NOT NULL, nodeid TEXT NOT NULL, outcome TEXT NOT NULL,
                                   duration_s REAL NOT NULL, PRIMARY KEY (run, nodeid)) WITHOUT ROWID;
)";
constexpr const char* most_runs = R"(
  DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - 200;
  DELETE FROM tests WHERE run < (SELECT min(id) FROM runs);
)";
/// Half of the runs at once, because this is seldom.
constexpr const char* halve = R"(
  DELETE FROM runs WHERE id < (SELECT avg(id) FROM runs);
  DELETE FROM tests WHERE run < (SELECT min(id) FROM runs);
)";
constexpr std::int64_t most_bytes = 64 << 20;
constexpr int busy_ms = 500;
constexpr std::chrono::seconds reader_patience{5};

tl::unexpected<Error> failure_in(sqlite3* db) {
  return fail(ErrorCode::internal, std::string("the history of runs cannot be used: ") + sqlite3_errmsg(db),
              "Without a daemon (`stest stop`), history.db in the state folder may be removed.");
}

/// A prepared statement.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr);  // If it fails, so does every step.
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  void bind(int index, const std::string& text) {
    sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  void bind(int index, std::int64_t number) { sqlite3_bind_int64(statement_, index, number); }
  void bind(int index, double number) { sqlite3_bind_double(statement_, index, number); }

  /// Whether there is a row.
  Result<bool> step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return failure_in(db_);
  }
  void reset() { sqlite3_reset(statement_); }

  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  std::string text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
};

std::string as_text(const json& value) {
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json report_in(const Statement& row) {
  auto report = json::parse(row.text(1), nullptr, false);
  if (report.is_object()) report["id"] = row.number(0);
  return report;
}

Fd open_lock(const std::filesystem::path& state_folder) {
  return Fd(::open((state_folder / "history.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

}  // namespace

void History::Close::operator()(sqlite3* db) const { sqlite3_close(db); }

Result<History> History::open(const std::filesystem::path& state_folder) {
  sqlite3* db = nullptr;
  const int code = sqlite3_open((state_folder / "history.db").c_str(), &db);
  History history(db);
  if (code != SQLITE_OK) return failure_in(db);
  sqlite3_busy_timeout(db, busy_ms);
  // Writing the log back into the file waits for the disk.
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (auto made = history.execute(schema); !made) return tl::unexpected(made.error());
  return history;
}

Status History::execute(const char* sql) const {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure_in(db_.get());
}

Status History::add(const json& report) {
  if (auto begun = execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto added = insert(report);
  if (added) added = trim();
  if (added) added = execute("COMMIT");
  if (!added) (void)execute("ROLLBACK");
  return added;
}

Status History::insert(const json& report) {
  Statement run(db_.get(), "INSERT INTO runs(report) VALUES (?)");
  run.bind(1, as_text(report));
  if (auto done = run.step(); !done) return tl::unexpected(done.error());
  const auto id = static_cast<std::int64_t>(sqlite3_last_insert_rowid(db_.get()));
  Statement row(db_.get(), "INSERT OR REPLACE INTO tests VALUES (?, ?, ?, ?)");
  for (const auto& test : report.at("tests")) {
    row.bind(1, id);
    row.bind(2, as_text(test.at("nodeid")));
    row.bind(3, as_text(test.at("outcome")));
    row.bind(4, test.at("duration_s").get<double>());
    if (auto done = row.step(); !done) return tl::unexpected(done.error());
    row.reset();
  }
  return {};
}

Status History::trim() {
  if (auto done = execute(most_runs); !done) return done;
  Statement size(db_.get(),
                 "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
                 "pragma_freelist_count, pragma_page_size");
  const auto row = size.step();
  if (!row) return tl::unexpected(row.error());
  return size.number(0) > most_bytes ? execute(halve) : Status();
}

Result<std::optional<json>> History::run(std::optional<std::int64_t> id) const {
  Statement query(db_.get(), id ? "SELECT id, report FROM runs WHERE id = ?"
                                : "SELECT id, report FROM runs ORDER BY id DESC LIMIT 1");
  if (id) query.bind(1, *id);
  const auto row = query.step();
  if (!row) return tl::unexpected(row.error());
  if (!*row) return std::nullopt;
  return report_in(query);
}

Result<std::vector<json>> History::runs(int most) const {
  Statement query(db_.get(), "SELECT id, report FROM runs ORDER BY id DESC LIMIT ?");
  query.bind(1, std::int64_t{most});
  std::vector<json> runs;
  auto row = query.step();
  for (; row && *row; row = query.step()) runs.push_back(report_in(query));
  if (!row) return tl::unexpected(row.error());
  return runs;
}

Result<std::vector<History::TestRun>> History::tests(const std::string& text) const {
  Statement query(db_.get(),
                  "SELECT run, json_extract(report, '$.started_at'), nodeid, outcome, tests.duration_s "
                  "FROM tests JOIN runs ON run = id WHERE instr(nodeid, ?) ORDER BY nodeid, run DESC");
  query.bind(1, text);
  std::vector<TestRun> tests;
  auto row = query.step();
  for (; row && *row; row = query.step()) {
    tests.push_back({query.number(0), query.number(1), query.text(2), query.text(3), query.real(4)});
  }
  if (!row) return tl::unexpected(row.error());
  return tests;
}

Fd announce_report(const std::filesystem::path& state_folder) {
  auto lock = open_lock(state_folder);
  if (lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) lock.reset();
  return lock;
}

void await_reports(const std::filesystem::path& state_folder) {
  const auto lock = open_lock(state_folder);
  const auto end = std::chrono::steady_clock::now() + reader_patience;
  while (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void note_cold_run(const std::filesystem::path& state_folder, const std::vector<std::string>& args,
                   const std::string& cwd) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(state_folder, ignored)) return;
  auto report = RunRecord(args, cwd, std::time(nullptr)).report();
  report["outcome"] = "cold";
  if (auto history = History::open(state_folder)) (void)history->add(report);
}

}  // namespace stest
