#include "common/bytes.hpp"

#include <gtest/gtest.h>

#include <string>

namespace stest {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, AcceptsWellFormedText) {
  for (const std::string_view text : {""sv, "plain"sv, "a\0b"sv, "\u00e9"sv, "\u20ac"sv, "\U0001f600"sv,
                                      "\xed\x9f\xbf"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesEverythingElse) {
  for (const std::string_view bytes : {
           "\x80"sv,              // continuation without a lead
           "\xc3"sv,              // cut short
           "\xe2\x82"sv,          // cut short
           "\xc0\xaf"sv,          // overlong
           "\xe0\x80\xaf"sv,      // overlong
           "\xf0\x80\x80\xaf"sv,  // overlong
           "\xed\xa0\x80"sv,      // surrogate
           "\xf4\x90\x80\x80"sv,  // above U+10FFFF
           "\xff"sv,
           "\xe2\x28\xa1"sv,
           "ok\xfe"sv,
       }) {
    EXPECT_FALSE(is_utf8(bytes));
  }
}

TEST(Base64, KnownValues) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
  EXPECT_EQ(base64_encode("foo"), "Zm9v");
  EXPECT_EQ(base64_encode("\xff\xfe\xfd"), "//79");
}

TEST(Base64, RoundTripsEveryByteAtEveryLength) {
  std::string bytes;
  for (int value = 0; value <= 256; ++value) {
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    bytes += static_cast<char>(value);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const std::string_view text :
       {"Zg"sv, "Zg="sv, "Z==="sv, "===="sv, "Zg==Zg=="sv, "Zm9*"sv, "Zh=="sv, "Zm9="sv}) {
    const Result<std::string> decoded = base64_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, ErrorCode::bad_request);
  }
}

}  // namespace
}  // namespace stest
