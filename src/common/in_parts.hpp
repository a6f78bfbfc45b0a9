#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace stest {

/// What `look(begin, end)` returns for each part of the numbers below `size`, in their order. For work of
/// which each piece is a system call, and which somebody waits for: threads share it, where there is enough
/// of it and more than one processor.
template <typename Look>
auto in_parts(std::size_t size, const Look& look) {
  constexpr std::size_t most_threads = 4;
  constexpr std::size_t worth_a_thread = 500;
  const std::size_t processors =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, most_threads);
  const std::size_t parts = std::clamp<std::size_t>(size / worth_a_thread, 1, processors);
  const auto look_at = [&](std::size_t part) { return look(size * part / parts, size * (part + 1) / parts); };
  using Found = decltype(look(size, size));
  std::vector<std::future<Found>> others;
  for (std::size_t part = 1; part < parts; ++part) others.push_back(std::async(look_at, part));
  std::vector<Found> found;
  found.push_back(look_at(0));
  for (auto& other : others) found.push_back(other.get());
  return found;
}

}  // namespace stest
