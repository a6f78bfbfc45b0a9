#include "cli/verify/times_text.hpp"

#include <array>
#include <cstdio>

namespace stest {
namespace {

std::string time_row(const char* name, double seconds) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "  %-15s %9.3f s", name, seconds);
  return text.data();
}

std::string speed(double times) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "  %7.*f times as fast\n", times < 9.95 ? 1 : 0, times);
  return text.data();
}

std::string remark(double waited) {
  if (waited == 0) return "";
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(),
                "    (%.3f s of it waiting for the worker; otherwise plain pytest runs meanwhile)\n", waited);
  return text.data();
}

}  // namespace

std::string times_text(const ComparedTimes& times) {
  return time_row("plain pytest", times.plain) + "\n" +  //
         time_row("first stest run", times.first) + speed(times.plain / times.first) +
         remark(times.waited) +  //
         time_row("warm stest run", times.warm) + speed(times.plain / times.warm);
}

}  // namespace stest
