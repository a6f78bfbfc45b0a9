#include "daemon/worker/preload_store.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

using Names = std::vector<std::string>;

class PreloadStoreTest : public testing::Test {
 protected:
  PreloadStoreTest() {
    folder.write("site/package.pth", "");
    folder.write("python", "");
  }
  PreloadStore open() { return {folder.path() / "preload.json", folder.path() / "python"}; }
  static Names path() { return {"/src"}; }
  Names sites() const { return {(folder.path() / "site").string()}; }

  TemporaryFolder folder;
};

TEST_F(PreloadStoreTest, PutsWhatIsConfiguredFirst) {
  auto store = open();
  ASSERT_TRUE(store.learn({"numpy", "torch"}, path(), sites()));
  EXPECT_EQ(store.modules({"torch", "einops"}, true), (Names{"torch", "einops", "numpy"}));
  EXPECT_EQ(store.modules({"torch", "einops"}, false), (Names{"torch", "einops"}));
}

TEST_F(PreloadStoreTest, RemembersInOrder) {
  ASSERT_TRUE(open().learn({"b", "a"}, path(), sites()));
  ASSERT_TRUE(open().learn({"a", "c"}, path(), sites()));
  EXPECT_EQ(open().modules({}, true), (Names{"b", "a", "c"}));
}

TEST_F(PreloadStoreTest, RemembersWhereToLookForThem) {
  EXPECT_EQ(open().path(), Names{});
  ASSERT_TRUE(open().learn({"a"}, {"/src", "/lib"}, sites()));
  EXPECT_EQ(open().path(), (Names{"/src", "/lib"}));
  auto store = open();
  ASSERT_TRUE(store.learn({"a"}, {"/other"}, sites()));
  EXPECT_EQ(store.path(), (Names{"/src", "/lib"})) << "nothing was learned there";
  ASSERT_TRUE(store.learn({"b"}, {"/other"}, sites()));
  EXPECT_EQ(open().path(), Names{"/other"});
}

TEST_F(PreloadStoreTest, ForgetsWhatAnEarlierVersionWrote) {
  ASSERT_TRUE(open().learn({"a"}, path(), sites()));
  auto json = nlohmann::json::parse(read_text(folder.path() / "preload.json"));
  json["version"] = 1;
  json.erase("path");
  folder.write("preload.json", json.dump());
  EXPECT_EQ(open().modules({}, true), Names{});
}

TEST_F(PreloadStoreTest, RemembersVariablesThatRunsSet) {
  ASSERT_TRUE(open().learn_variables("m", {{"A", "1"}, {"B", std::nullopt}}, sites()));
  EXPECT_EQ(open().variables(), (OptionalEnvironment{{"A", "1"}, {"B", std::nullopt}}));
  ASSERT_TRUE(open().learn_variables("m", {{"A", "2"}}, sites()));
  EXPECT_EQ(open().variables().at("A"), "2");
}

TEST_F(PreloadStoreTest, LeavesOutWhatIsImportedWithOtherValuesAllTheTime) {
  auto store = open();
  ASSERT_TRUE(store.learn({"m"}, path(), sites()));
  for (int i = 0; i < PreloadStore::max_changes; ++i) {
    ASSERT_TRUE(store.learn_variables("m", {{"A", std::to_string(i)}}, sites()));
    EXPECT_EQ(store.modules({}, true), Names{"m"});
  }
  ASSERT_TRUE(store.learn_variables("m", {{"A", "another"}}, sites()));
  EXPECT_EQ(store.modules({}, true), Names{});
  EXPECT_EQ(store.variables(), OptionalEnvironment{});
}

TEST_F(PreloadStoreTest, LeavesOutAModuleAndWhatLiesInIt) {
  auto store = open();
  ASSERT_TRUE(store.learn({"grpc", "grpc.aio", "grpcio"}, path(), sites()));
  ASSERT_TRUE(store.reject({"grpc", "threads"}, sites()));
  ASSERT_TRUE(store.learn({"grpc._channel"}, path(), sites()));
  EXPECT_EQ(store.modules({"grpc"}, true), Names{"grpcio"});
  EXPECT_EQ(open().modules({"grpc", "x"}, true), (Names{"x", "grpcio"}));
}

TEST_F(PreloadStoreTest, ForgetsWhenPackagesChange) {
  auto store = open();
  ASSERT_TRUE(store.learn({"a"}, path(), sites()));
  folder.write("site/package.pth", "longer");
  EXPECT_EQ(open().modules({}, true), Names{});
  store.forget_if_outdated();
  EXPECT_EQ(store.modules({}, true), Names{});
}

TEST_F(PreloadStoreTest, ForgetsWhenTheInterpreterChanges) {
  ASSERT_TRUE(open().learn({"a"}, path(), sites()));
  folder.write("python", "another");
  EXPECT_EQ(open().modules({}, true), Names{});
}

TEST_F(PreloadStoreTest, BelongsToOneInterpreter) {
  ASSERT_TRUE(open().learn({"a"}, path(), sites()));
  PreloadStore other(folder.path() / "preload.json", folder.path() / "other-python");
  EXPECT_EQ(other.modules({}, true), Names{});
}

TEST_F(PreloadStoreTest, StartsAnewFromAnUnreadableFile) {
  for (const char* text : {"", "{", "[]", R"({"version":2})", R"({"version":2,"python":"x","sites":3})"}) {
    folder.write("preload.json", text);
    EXPECT_EQ(open().modules({}, true), Names{}) << text;
  }
}

TEST_F(PreloadStoreTest, RemembersHowLongAStartTook) {
  auto store = open();
  EXPECT_FALSE(store.start_time(10));
  ASSERT_TRUE(store.remember_start(0, PreloadStore::Seconds(1), sites()));
  EXPECT_FALSE(store.start_time(0));
  ASSERT_TRUE(store.remember_start(100, PreloadStore::Seconds(4.5), sites()));
  for (const std::size_t about : {95u, 100u, 105u})
    EXPECT_EQ(open().start_time(about)->count(), 4.5) << about;
  for (const std::size_t other : {0u, 50u, 150u}) EXPECT_FALSE(open().start_time(other)) << other;
  folder.write("site/package.pth", "longer");
  EXPECT_FALSE(open().start_time(100));
}

TEST_F(PreloadStoreTest, SaysWhenItCannotSave) {
  PreloadStore store(folder.path() / "no/such/preload.json", folder.path() / "python");
  EXPECT_FALSE(store.learn({"a"}, path(), sites()));
  EXPECT_EQ(store.modules({}, true), Names{"a"});
}

TEST(Covers, ComparesWholeNames) {
  EXPECT_TRUE(covers("a", "a"));
  EXPECT_TRUE(covers("a", "a.b"));
  EXPECT_FALSE(covers("a", "ab"));
  EXPECT_FALSE(covers("a.b", "a"));
}

}  // namespace
}  // namespace stest
