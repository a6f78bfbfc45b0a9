#pragma once

#include <dlfcn.h>

/// Functions of the C library are interposed as memory allocators interpose `malloc`: this library is linked
/// first, or preloaded into a `python`, and so its definitions come before those of all others.
namespace stest::interpose {

/// The definition that would have been called without ours.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace stest::interpose

#define STEST_NEXT(name)                             \
  static auto* const original = /* NOLINTNEXTLINE */ \
      ::stest::interpose::next<decltype(name)>(#name)

// A function of the C library with one of ours before it: RESULT name(PARAMETERS) that is called with
// (ARGUMENTS), and what is noted of it before that.
// NOLINTBEGIN(bugprone-macro-parentheses): these are types, lists and statements.
#define STEST_NOTE(result, name, parameters, arguments, noted) \
  result name parameters {                                     \
    STEST_NEXT(name);                                          \
    noted;                                                     \
    return original arguments;                                 \
  }
#define STEST_NOTE_NOEXCEPT(result, name, parameters, arguments, noted) \
  STEST_NOTE(result, name, parameters noexcept, arguments, noted)
// NOLINTEND(bugprone-macro-parentheses)
