#pragma once

#include <string>

namespace stest {

/// `stest hook`: the answer to what an agent's hook gets on stdin before a shell command runs. It replaces
/// `pytest` and `python -m pytest` by `stest`. Empty: the command goes on as it is.
std::string hook_answer(const std::string& input);

/// "cd sub && pytest -q | tail" becomes "cd sub && stest -q | tail". Empty: the command is not only that, so
/// that nothing else is approved with it.
std::string with_stest(const std::string& command);

}  // namespace stest
