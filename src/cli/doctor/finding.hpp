#pragma once

#include <string>

namespace stest {

/// What one check of `stest doctor` found.
struct Finding {
  enum class Grade { ok, warning, failure };

  std::string name;
  Grade grade = Grade::ok;
  std::string detail;
  std::string remedy = {};  ///< How to repair it; empty if all is well.
};

inline Finding fine(std::string name, std::string detail) {
  return {std::move(name), Finding::Grade::ok, std::move(detail)};
}
inline Finding warning(std::string name, std::string detail, std::string remedy) {
  return {std::move(name), Finding::Grade::warning, std::move(detail), std::move(remedy)};
}
inline Finding failure(std::string name, std::string detail, std::string remedy) {
  return {std::move(name), Finding::Grade::failure, std::move(detail), std::move(remedy)};
}

}  // namespace stest
