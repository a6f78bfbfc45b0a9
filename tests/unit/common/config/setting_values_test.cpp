#include "common/config/setting_values.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace stest {
namespace {

using namespace std::chrono_literals;

template <class Value>
RawValue in_file(Value value) {
  return {value, "", false};
}
RawValue in_file(int number) { return in_file(std::int64_t{number}); }
RawValue in_file(const char* text) { return in_file(std::string(text)); }
RawValue in_variable(const char* text) { return {std::string(text), "", true}; }

TEST(ParseDuration, NumbersAreSeconds) {
  EXPECT_EQ(parse_duration(in_file(30)), 30s);
  EXPECT_EQ(parse_duration(in_file(0.25)), 250ms);
  EXPECT_EQ(parse_duration(in_variable("30")), 30s);
  EXPECT_EQ(parse_duration(in_variable("0.5")), 500ms);
}

TEST(ParseDuration, StringsHaveAUnit) {
  EXPECT_EQ(parse_duration(in_file("500ms")), 500ms);
  EXPECT_EQ(parse_duration(in_file("30s")), 30s);
  EXPECT_EQ(parse_duration(in_file("5m")), 5min);
  EXPECT_EQ(parse_duration(in_file("2h")), 2h);
  EXPECT_EQ(parse_duration(in_file("1.5 h")), 90min);
  EXPECT_EQ(parse_duration(in_variable("2H")), 2h);
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text :
       {"", "s", "30", "30 parsecs", "-5s", "0s", "1m30s", "nans", "infs", "1e300h", " 5s", "5s "}) {
    EXPECT_FALSE(parse_duration(in_file(text))) << text;
  }
  EXPECT_FALSE(parse_duration(in_file(0)));
  EXPECT_FALSE(parse_duration(in_file(-1)));
  EXPECT_FALSE(parse_duration(in_file(std::numeric_limits<std::int64_t>::max())));
  EXPECT_FALSE(parse_duration(in_file(std::numeric_limits<double>::quiet_NaN())));
  EXPECT_FALSE(parse_duration(in_file(std::numeric_limits<double>::infinity())));
  EXPECT_FALSE(parse_duration(in_file(true)));
  EXPECT_FALSE(parse_duration(in_file(std::vector<std::string>{"5s"})));
  EXPECT_FALSE(parse_duration(in_variable("")));
}

TEST(ParseSize, BytesAndUnits) {
  EXPECT_EQ(parse_size(in_file(1024)), 1024u);
  EXPECT_EQ(parse_size(in_file("8GB")), 8'000'000'000u);
  EXPECT_EQ(parse_size(in_file("512MB")), 512'000'000u);
  EXPECT_EQ(parse_size(in_file("8GiB")), 8ull << 30);
  EXPECT_EQ(parse_size(in_file("1.5 KiB")), 1536u);
  EXPECT_EQ(parse_size(in_file("7b")), 7u);
  EXPECT_EQ(parse_size(in_variable("1000000")), 1'000'000u);
  EXPECT_EQ(parse_size(in_variable("8gb")), 8'000'000'000u);
}

TEST(ParseSize, RefusesTheRest) {
  for (const char* text : {"", "GB", "1024", "8 bananas", "-1GB", "0GB", "nanGB", "1e30TB", "8GBs"}) {
    EXPECT_FALSE(parse_size(in_file(text))) << text;
  }
  EXPECT_FALSE(parse_size(in_file(0)));
  EXPECT_FALSE(parse_size(in_file(-1)));
  EXPECT_FALSE(parse_size(in_file(1.5)));
  EXPECT_FALSE(parse_size(in_file(false)));
}

TEST(ParseInt, RangeAndForm) {
  EXPECT_EQ(parse_int(in_file(1), 1, 4), 1);
  EXPECT_EQ(parse_int(in_file(4), 1, 4), 4);
  EXPECT_EQ(parse_int(in_variable("3"), 1, 4), 3);
  EXPECT_FALSE(parse_int(in_file(0), 1, 4));
  EXPECT_FALSE(parse_int(in_file(5), 1, 4));
  EXPECT_FALSE(parse_int(in_file("3"), 1, 4));
  EXPECT_FALSE(parse_int(in_file(3.0), 1, 4));
  EXPECT_FALSE(parse_int(in_file(std::int64_t{1} << 32 | 3), 1, 4));
  for (const char* text : {"", "3x", " 3", "3.0", "99999999999999999999"}) {
    EXPECT_FALSE(parse_int(in_variable(text), 1, 4)) << text;
  }
}

TEST(ParseBool, WordsOnlyInVariables) {
  EXPECT_EQ(parse_bool(in_file(true)), true);
  EXPECT_FALSE(parse_bool(in_file("true")));
  EXPECT_FALSE(parse_bool(in_file(1)));
  for (const char* text : {"1", "true", "True", "YES", "on"}) EXPECT_EQ(parse_bool(in_variable(text)), true);
  for (const char* text : {"0", "false", "False", "NO", "off"})
    EXPECT_EQ(parse_bool(in_variable(text)), false);
  EXPECT_FALSE(parse_bool(in_variable("2")));
}

TEST(ParseText, AnythingButEmpty) {
  EXPECT_EQ(parse_text(in_file("x")), "x");
  EXPECT_FALSE(parse_text(in_file("")));
  EXPECT_FALSE(parse_text(in_file(1)));
}

TEST(ParseList, OnlyLists) {
  EXPECT_EQ(parse_list(in_file(std::vector<std::string>{})), std::vector<std::string>{});
  EXPECT_FALSE(parse_list(in_file("torch")));
  EXPECT_FALSE(parse_list(in_file(RawValue::Other{})));
}

}  // namespace
}  // namespace stest
