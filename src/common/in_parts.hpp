#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace stest {

/// Splits the numbers below `size` into parts, and returns what `look(begin, end)` returns for each, in
/// order. Several threads share the work if there is enough of it and more than one processor. This is for
/// work that consists of system calls.
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

/// The first element for which `is_wanted` is true, or the end; see `in_parts`.
template <typename T, typename IsWanted>
auto find_in_parts(const std::vector<T>& elements, const IsWanted& is_wanted) {
  const auto at = [&](std::size_t place) { return elements.begin() + static_cast<std::ptrdiff_t>(place); };
  const auto found = in_parts(elements.size(), [&](std::size_t begin, std::size_t end) {
    const auto first = std::find_if(at(begin), at(end), is_wanted);
    return first == at(end) ? elements.end() : first;
  });
  const auto first = std::find_if(found.begin(), found.end(), [&](auto it) { return it != elements.end(); });
  return first == found.end() ? elements.end() : *first;
}

}  // namespace stest
