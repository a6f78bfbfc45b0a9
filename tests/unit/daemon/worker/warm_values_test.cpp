#include "daemon/worker/warm_values.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace stest {
namespace {

Observations::Value observed(const std::string& name, const std::string& key) {
  return {name, key, "how to make " + key, ""};
}

std::vector<std::string> keys(const std::optional<protocol::HoldValues>& message) {
  std::vector<std::string> found;
  if (message) {
    for (const auto& value : message->values) found.push_back(value.key);
  }
  return found;
}

std::string state(const WarmValues& values, std::size_t index = 0) {
  return values.describe().at(index).at("state");
}

using Keys = std::vector<std::string>;

TEST(WarmValues, WhatARunHasLoadedIsAskedForOnce) {
  WarmValues values;
  EXPECT_FALSE(values.next());
  values.learn({observed("f()", "a")}, {{"A", "1"}}, values.reports());
  const auto message = values.next();
  EXPECT_EQ(keys(message), Keys{"a"});
  EXPECT_EQ(message->env.at("A"), "1");
  EXPECT_FALSE(values.next());
  values.report({{{"a", "", 0.5, 100}}});
  EXPECT_EQ(state(values), "held");
  EXPECT_FALSE(values.next());
}

TEST(WarmValues, ANewKeyTakesThePlaceOfTheOldOne) {
  WarmValues values;
  values.learn({observed("f()", "a"), observed("g()", "g")}, {}, values.reports());
  (void)values.next();
  values.learn({observed("f()", "b")}, {}, values.reports());
  EXPECT_EQ(keys(values.next()), (Keys{"g", "b"}));
}

TEST(WarmValues, WhatIsBeingLoadedIsNotAskedForAgain) {
  WarmValues values;
  values.learn({observed("f()", "a")}, {}, values.reports());
  (void)values.next();
  values.learn({observed("f()", "a")}, {}, values.reports());
  EXPECT_FALSE(values.next());
}

TEST(WarmValues, WhatIsHeldAndWasLoadedAllTheSameHasChanged) {
  WarmValues values;
  values.learn({observed("f()", "a")}, {}, values.reports());
  (void)values.next();
  values.report({{{"a", "", 0.5, 100}}});
  values.learn({observed("f()", "a")}, {}, values.reports());
  EXPECT_EQ(keys(values.next()), Keys{"a"});
}

TEST(WarmValues, WhatARunHasLoadedThatBeganBeforeItWasHeldHasNotChanged) {
  WarmValues values;
  values.learn({observed("f()", "a")}, {}, values.reports());
  (void)values.next();
  const auto seen = values.reports();
  values.report({{{"a", "", 0.5, 100}}});
  values.learn({observed("f()", "a")}, {}, seen);
  EXPECT_EQ(state(values), "held");
  EXPECT_FALSE(values.next());
}

TEST(WarmValues, WhatCannotBeHeldIsTriedAgainOnlyWhereItIsAnother) {
  WarmValues values;
  values.learn({observed("f()", "a")}, {}, values.reports());
  (void)values.next();
  values.report({{{"a", "it starts a thread", 0, 0}}});
  EXPECT_EQ(state(values), "not_held");
  values.learn({observed("f()", "a")}, {}, values.reports());
  EXPECT_FALSE(values.next());
  EXPECT_EQ(values.describe().at(0).at("reason"), "it starts a thread");
  values.learn({observed("f()", "b")}, {}, values.reports());
  EXPECT_EQ(keys(values.next()), Keys{"b"});
}

TEST(WarmValues, WhatTheRunCannotTellIsLeftOut) {
  WarmValues values;
  values.learn({{"f()", "", "", "it uses eval"}}, {}, values.reports());
  EXPECT_FALSE(values.next());
  EXPECT_EQ(state(values), "not_held");
  EXPECT_EQ(values.describe().at(0).at("reason"), "it uses eval");
}

TEST(WarmValues, AProcessThatEndedIsNotTriedAgainWithTheSame) {
  WarmValues values;
  values.learn({observed("f()", "a")}, {}, values.reports());
  (void)values.next();
  values.report({});
  EXPECT_EQ(state(values), "not_held");
  values.learn({observed("f()", "a")}, {}, values.reports());
  EXPECT_FALSE(values.next());
}

TEST(WarmValues, WhatWasLostIsDueAgain) {
  WarmValues values;
  values.learn({observed("f()", "a"), {"g()", "", "", "it uses eval"}}, {}, values.reports());
  (void)values.next();
  values.report({{{"a", "it imports x, which is not warm", 0, 0}}});
  values.lost();
  EXPECT_EQ(keys(values.next()), Keys{"a"});
}

TEST(WarmValues, TheOldestGoWhereThereAreTooMany) {
  WarmValues values;
  for (std::size_t i = 0; i <= WarmValues::limit; ++i) {
    values.learn({observed(std::to_string(i), std::to_string(i))}, {}, values.reports());
  }
  const auto found = keys(values.next());
  EXPECT_EQ(found.size(), WarmValues::limit);
  EXPECT_EQ(found.front(), "1");
}

}  // namespace
}  // namespace stest
