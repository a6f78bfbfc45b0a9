#include "common/json/json_fields.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace stest {
namespace {

using nlohmann::json;

template <class T>
std::string complaint(const json& value) {
  T out{};
  const json object{{"x", value}};
  FieldReader fields(object, "thing");
  fields.read("x", out);
  const Status status = fields.status();
  return status ? "" : status.error().message;
}

TEST(FieldReader, TypesAreExact) {
  EXPECT_EQ(complaint<bool>(1), "thing: field 'x' must be true or false");
  EXPECT_EQ(complaint<int>(1.0), "thing: field 'x' must be a whole number");
  EXPECT_EQ(complaint<int>("1"), "thing: field 'x' must be a whole number");
  EXPECT_EQ(complaint<int>(true), "thing: field 'x' must be a whole number");
  EXPECT_EQ(complaint<std::uint64_t>(-1), "thing: field 'x' must be a whole number from 0");
  EXPECT_EQ(complaint<double>("1"), "thing: field 'x' must be a number");
  EXPECT_EQ(complaint<double>(nullptr), "thing: field 'x' must be a number");
  EXPECT_EQ(complaint<std::string>(1), "thing: field 'x' must be a string");
  EXPECT_EQ(complaint<std::string>(json{{"base64", "!"}}), "thing: field 'x' must be a string");
  EXPECT_EQ(complaint<std::vector<std::string>>("a"), "thing: field 'x' must be a list of strings");
  EXPECT_EQ(complaint<std::vector<std::string>>(json{"a", 1}), "thing: field 'x' must be a list of strings");
  EXPECT_EQ(complaint<Environment>(json{{"A", nullptr}}), "thing: field 'x' must be an object of strings");
  EXPECT_EQ(complaint<Environment>(json::array({json::array({"A"})})),
            "thing: field 'x' must be an object of strings");
  EXPECT_EQ(complaint<OptionalEnvironment>(json{{"A", 1}}),
            "thing: field 'x' must be an object of strings and nulls");
}

TEST(FieldReader, WholeNumbersMustFit) {
  EXPECT_EQ(complaint<int>(std::numeric_limits<int>::max()), "");
  EXPECT_EQ(complaint<int>(std::numeric_limits<int>::min()), "");
  EXPECT_NE(complaint<int>(std::int64_t{1} << 40), "");
  EXPECT_NE(complaint<int>(-(std::int64_t{1} << 40)), "");
  EXPECT_NE(complaint<int>(std::numeric_limits<std::uint64_t>::max()), "");
  EXPECT_EQ(complaint<std::uint64_t>(std::numeric_limits<std::uint64_t>::max()), "");
  EXPECT_EQ(complaint<double>(1), "");
}

TEST(FieldReader, TheFirstComplaintStays) {
  const json object{{"a", "text"}};
  int number = 5;
  FieldReader fields(object, "thing");
  fields.read("a", number);
  fields.read("b", number);
  EXPECT_EQ(fields.status().error().message, "thing: field 'a' must be a whole number");
  EXPECT_EQ(fields.status().error().code, ErrorCode::bad_request);
  EXPECT_EQ(number, 5);
}

TEST(FieldReader, OptionalMayBeMissingOrNullButNotMistyped) {
  const json object{{"null", nullptr}, {"seven", 7}, {"text", "x"}};
  int number = 5;
  std::optional<int> maybe;
  FieldReader fields(object, "thing");
  fields.read_optional("missing", number);
  fields.read_optional("null", number);
  EXPECT_EQ(number, 5);
  fields.read_optional("null", maybe);
  EXPECT_EQ(maybe, std::nullopt);
  fields.read_optional("seven", maybe);
  EXPECT_EQ(maybe, 7);
  EXPECT_TRUE(fields.status());
  fields.read_optional("text", number);
  EXPECT_FALSE(fields.status());
}

TEST(FieldReader, OnlyObjectsHaveFields) {
  for (const json& value : {json(1), json("x"), json::array(), json(nullptr)}) {
    const FieldReader fields(value, "thing");
    EXPECT_EQ(fields.status().error().message, "thing must be a JSON object");
  }
}

TEST(FieldReader, ObjectsInLists) {
  const json object{{"items", {{{"n", 1}}, {{"n", "x"}}}}};
  int sum = 0;
  FieldReader fields(object, "thing");
  fields.read_objects("items", [&](FieldReader& item) {
    int number = 0;
    item.read("n", number);
    sum += number;
  });
  EXPECT_EQ(sum, 1);
  EXPECT_EQ(fields.status().error().message, "thing: items: field 'n' must be a whole number");
}

TEST(FieldReader, ObjectsInListsMayBeOptional) {
  const json object{{"one", {json::object()}}, {"null", nullptr}};
  int count = 0;
  FieldReader fields(object, "thing");
  for (const auto* field : {"one", "null", "none"}) {
    fields.read_optional_objects(field, [&](FieldReader&) { ++count; });
  }
  EXPECT_EQ(count, 1);
  EXPECT_TRUE(fields.status());
}

TEST(EnvironmentJson, IsAnObject) {
  EXPECT_EQ(environment_to_json(Environment{}), json::object());
  EXPECT_EQ(environment_to_json(Environment{{"A", "1"}, {"B", "\xff"}}),
            json::parse(R"({"A": "1", "B": {"base64": "/w=="}})"));
  EXPECT_EQ(environment_to_json(OptionalEnvironment{{"A", std::nullopt}}), json::parse(R"({"A": null})"));
}

TEST(EnvironmentJson, NamesThatAreNotUtf8MakeItAList) {
  const Environment env{{"A", "1"}, {"\xff", "2"}};
  const json value = environment_to_json(env);
  EXPECT_EQ(value, json::parse(R"([["A", "1"], [{"base64": "/w=="}, "2"]])"));
  const json object{{"env", value}};
  Environment read;
  FieldReader fields(object, "thing");
  fields.read("env", read);
  EXPECT_EQ(read, env);
}

}  // namespace
}  // namespace stest
