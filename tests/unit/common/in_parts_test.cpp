#include "common/in_parts.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace stest {
namespace {

using Numbers = std::vector<std::size_t>;

Numbers all(std::size_t size) {
  const auto parts = in_parts(size, [](std::size_t begin, std::size_t end) {
    Numbers part;
    for (; begin < end; ++begin) part.push_back(begin);
    return part;
  });
  Numbers joined;
  for (const auto& part : parts) joined.insert(joined.end(), part.begin(), part.end());
  return joined;
}

TEST(InParts, EachNumberBelongsToOnePart) {
  for (const std::size_t size : {0, 1, 499, 500, 1000, 1001, 10007}) {
    Numbers expected(size);
    for (std::size_t i = 0; i < size; ++i) expected[i] = i;
    EXPECT_EQ(all(size), expected);
  }
}

TEST(InParts, WhatIsThrownInAnyPartReachesTheCaller) {
  constexpr std::size_t size = 10'000;
  const auto look = [](std::size_t, std::size_t end) {
    if (end == size) throw std::runtime_error("the last");
    return 0;
  };
  EXPECT_THROW(in_parts(size, look), std::runtime_error);
}

}  // namespace
}  // namespace stest
