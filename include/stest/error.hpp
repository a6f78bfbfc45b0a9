#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "stest/exit_code.hpp"

namespace stest {

/// A failure, described for the user. `Result` holds it by value. Over HTTP it is
/// `{"error": name(code), "message": …, "hint": …}`.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  ///< What went wrong, one sentence, without a trailing newline.
  std::string hint;     ///< What to do about it; may be empty.
};

/// Either a value or the `Error` that prevented it. A function that returns `Result` does not throw.
/// Exceptions of libraries are converted to errors where they occur.
template <class T>
using Result = tl::expected<T, Error>;

/// `Result` without a value.
using Status = Result<void>;

/// Shorthand for returning a failed `Result`.
inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}

}  // namespace stest
