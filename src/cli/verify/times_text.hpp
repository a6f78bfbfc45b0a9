#pragma once

#include <string>

namespace stest {

/// The times of the same tests, in seconds.
struct ComparedTimes {
  double plain = 0;
  double first = 0;
  double warm = 0;
  double waited = 0;  ///< How much of `first` another run would not have waited for the worker; mostly 0.
};

/// A table: a line for each, with how many times as fast as plain pytest it is.
std::string times_text(const ComparedTimes& times);

}  // namespace stest
