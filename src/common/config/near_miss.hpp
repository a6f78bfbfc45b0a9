#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stest {

/// The one of `names` that `word` is probably a misspelling of; empty if there is none. One letter may be
/// wrong, missing or too many, or two may be swapped; in names of more than 5 letters this may happen twice.
std::string near_miss(std::string_view word, const std::vector<std::string>& names);

}  // namespace stest
