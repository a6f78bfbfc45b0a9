#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stest/error.hpp"
#include "stest/protocol.hpp"

namespace stest {

/// What runs when Python starts, before anything of stest's: `site`, `.pth` files, `sitecustomize`.
struct AtStart {
  std::map<std::string, std::optional<std::string>>
      env_reads;                             ///< What Python code has read, with its value.
  std::vector<protocol::Ready::File> files;  ///< What was looked at outside of the standard library.
};

/// The embedded CPython, set up exactly as `executable` would set itself up: same prefix, path,
/// site-packages, `.pth` files and flags, from the same environment variables. Owns the
/// interpreter's life; there is one per process. The thread that creates it holds the GIL for ever.
class Interpreter {
 public:
  /// Errors: `worker_failed`, with CPython's own message, and when `executable` has another version
  /// than the library that is embedded.
  static Result<Interpreter> start(const std::string& executable);

  std::string version() const;  ///< "3.11.7"
  std::string prefix() const;   ///< `sys.prefix`
  const AtStart& at_start() const { return at_start_; }

  Interpreter(Interpreter&&) noexcept;
  ~Interpreter();

 private:
  class Impl;
  Interpreter(std::unique_ptr<Impl> impl, AtStart at_start);
  std::unique_ptr<Impl> impl_;
  AtStart at_start_;
};

}  // namespace stest
