#pragma once

#include <string>
#include <string_view>

#include "stest/error.hpp"

namespace stest {

/// Whether `bytes` is well-formed UTF-8: no overlong forms, no surrogates, no numbers above U+10FFFF.
bool is_utf8(std::string_view bytes);

std::string base64_encode(std::string_view bytes);

/// Errors: `bad_request` unless `text` is canonical base64 with padding.
Result<std::string> base64_decode(std::string_view text);

}  // namespace stest
