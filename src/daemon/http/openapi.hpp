#pragma once

#include <string_view>

namespace stest {

/// `openapi.json` beside this file, as it was when stest was built.
std::string_view openapi_document();

}  // namespace stest
