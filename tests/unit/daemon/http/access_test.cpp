#include "daemon/http/access.hpp"

#include <gtest/gtest.h>

#include <set>

#include "common/os/fd.hpp"

namespace stest {
namespace {

const Endpoint tcp{"", 8000, "secret"};

ErrorCode refusal(const Endpoint& endpoint, const Claims& claims) {
  const auto access = check_access(endpoint, claims);
  EXPECT_FALSE(access);
  return access ? ErrorCode::internal : access.error().code;
}

TEST(Access, TokensAreLongAndDiffer) {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(make_token().value());
  EXPECT_EQ(tokens.size(), 100u);
  for (const auto& token : tokens) EXPECT_EQ(token.size(), 64u);
}

TEST(Access, ComparesEveryByte) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("xbc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(Access, KnowsItsOwnUser) {
  const auto pair = make_socketpair().value();
  EXPECT_TRUE(is_own_user(pair.first.get()));
  EXPECT_FALSE(is_own_user(-1));
}

TEST(Access, OverTcpTakesTheTokenAndItsOwnNames) {
  for (const auto* host : {"127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"}) {
    EXPECT_TRUE(check_access(tcp, {{host}, {"Bearer secret"}})) << host;
  }
  EXPECT_TRUE(check_access(tcp, {{"localhost:8000"}, {"bearer secret"}}));
  EXPECT_TRUE(check_access({"", 80, "secret"}, {{"localhost"}, {"Bearer secret"}}));
}

TEST(Access, OverTcpRefusesOtherNames) {
  for (const auto* host :
       {"", "localhost", "localhost:80", "127.0.0.1:80000", "example.org:8000", "0:8000"}) {
    EXPECT_EQ(refusal(tcp, {{host}, {"Bearer secret"}}), ErrorCode::forbidden) << host;
  }
}

TEST(Access, OverTcpRefusesOtherTokens) {
  for (const auto* token :
       {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret", "secret"}) {
    EXPECT_EQ(refusal(tcp, {{"localhost:8000"}, {token}}), ErrorCode::unauthorized) << token;
  }
  EXPECT_EQ(refusal(tcp, {{"localhost:8000"}, {}}), ErrorCode::unauthorized);
  EXPECT_EQ(refusal(tcp, {{"localhost:8000"}, {"Bearer secret", "Bearer secret"}}), ErrorCode::unauthorized);
}

TEST(Access, AUnixSocketNeedsNoTokenButOneHost) {
  const Endpoint unix_socket{"/socket", 0, ""};
  EXPECT_TRUE(check_access(unix_socket, {{"anything"}, {}}));
  EXPECT_EQ(refusal(unix_socket, {{}, {}}), ErrorCode::bad_request);
  EXPECT_EQ(refusal(unix_socket, {{"a", "a"}, {}}), ErrorCode::bad_request);
}

}  // namespace
}  // namespace stest
