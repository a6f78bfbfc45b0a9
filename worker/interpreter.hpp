#pragma once

#include <memory>
#include <string>

#include "stest/error.hpp"

namespace stest {

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

  Interpreter(Interpreter&&) noexcept;
  ~Interpreter();

 private:
  class Impl;
  explicit Interpreter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stest
