#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What code has read that runs at Python's start, before stest's own: `site`, `.pth` files, `sitecustomize`.
struct AtStart {
  /// Variables that Python code has read, with the value; nothing if it was unset.
  std::map<std::string, std::optional<std::string>> env_reads;
  std::vector<protocol::Ready::File> files;  ///< Files outside of the standard library.
};

/// The embedded CPython, set up exactly as `executable` would set itself up: with the same prefix, path,
/// site-packages, `.pth` files and flags, from the same environment variables. Owns the interpreter, of which
/// a process has one. The thread that creates it holds the GIL for ever.
class Interpreter {
 public:
  /// Errors: `worker_failed`, if CPython cannot start, or `executable` has another version than the embedded
  /// library.
  static Result<Interpreter> start(const std::string& executable);

  std::string version() const;  ///< "3.11.7"
  std::string prefix() const;   ///< `sys.prefix`
  const AtStart& at_start() const { return at_start_; }
  /// Which package the worker lacks in this environment, and what to do; nothing if it has all.
  std::optional<std::string> missing_package() const;

  Interpreter(Interpreter&&) noexcept;
  ~Interpreter();

 private:
  class Impl;
  Interpreter(std::unique_ptr<Impl> impl, AtStart at_start);
  std::unique_ptr<Impl> impl_;
  AtStart at_start_;
};

/// The names of the modules that were loaded when Python had started, before any code of stest.
const std::vector<std::string>& modules_at_start();

}  // namespace stest
