#pragma once

#include <dlfcn.h>

/// Functions of the C library are interposed in the same way as memory allocators interpose `malloc`: this
/// library is linked first, or preloaded into a `python`, so its definitions come first.
namespace stest::interpose {

/// The definition that would be called without ours.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace stest::interpose

#define STEST_NEXT(name)                             \
  static auto* const original = /* NOLINTNEXTLINE */ \
      ::stest::interpose::next<decltype(name)>(#name)

// Interposes a function of the C library, RESULT name(PARAMETERS): executes the statement NOTED, and then
// calls the function with (ARGUMENTS). NOLINTBEGIN(bugprone-macro-parentheses): these are types, lists and
// statements.
#define STEST_NOTE(result, name, parameters, arguments, noted) \
  result name parameters {                                     \
    STEST_NEXT(name);                                          \
    noted;                                                     \
    return original arguments;                                 \
  }
#define STEST_NOTE_NOEXCEPT(result, name, parameters, arguments, noted) \
  STEST_NOTE(result, name, parameters noexcept, arguments, noted)
// NOLINTEND(bugprone-macro-parentheses)
