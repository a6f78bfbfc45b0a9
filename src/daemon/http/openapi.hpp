#pragma once

#include <string_view>

namespace stest {

/// The contents of `openapi.json` when stest was built.
std::string_view openapi_document();

}  // namespace stest
