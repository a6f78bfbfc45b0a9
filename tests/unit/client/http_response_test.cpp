#include "client/http_response.hpp"

#include <gtest/gtest.h>

#include <string>

namespace stest {
namespace {

struct Taken {
  int status = 0;
  std::string body;
  bool is_complete = false;
  bool wants_more = false;
};

/// The response in pieces of `size` bytes; what follows its end is not given.
Taken take(const std::string& text, std::size_t size) {
  Taken taken;
  HttpResponse response([&](std::string_view piece) {
    taken.body += piece;
    return true;
  });
  for (std::size_t at = 0; at < text.size(); at += size) {
    taken.wants_more = response.take(std::string_view(text).substr(at, size));
    if (!taken.wants_more) break;
  }
  taken.status = response.status();
  taken.is_complete = response.is_complete();
  return taken;
}

class HttpResponseTest : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Pieces, HttpResponseTest, ::testing::Values(1, 2, 3, 7, 1000));

TEST_P(HttpResponseTest, BodyOfKnownLength) {
  const auto taken = take("HTTP/1.1 404 Not Found\r\ncontent-LENGTH:  5 \r\nX: y\r\n\r\nhello", GetParam());
  EXPECT_EQ(taken.status, 404);
  EXPECT_EQ(taken.body, "hello");
  EXPECT_TRUE(taken.is_complete);
  EXPECT_FALSE(taken.wants_more);
}

TEST_P(HttpResponseTest, EmptyBody) {
  const auto taken = take("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GetParam());
  EXPECT_TRUE(taken.is_complete);
  EXPECT_EQ(taken.body, "");
}

TEST_P(HttpResponseTest, Chunks) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto taken =
      take(head + "3\r\na\r\n\r\nA;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", GetParam());
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.body, "a\r\n0123456789");
  EXPECT_TRUE(taken.is_complete);
}

TEST_P(HttpResponseTest, BodyThatLastsAsLongAsTheConnection) {
  const auto taken = take("HTTP/1.0 200 OK\r\n\r\nall of it", GetParam());
  EXPECT_EQ(taken.body, "all of it");
  EXPECT_TRUE(taken.is_complete);
  EXPECT_TRUE(taken.wants_more);
}

TEST_P(HttpResponseTest, WhatIsCutIsNotComplete) {
  for (const std::string text : {"", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n",
                                 "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"}) {
    EXPECT_FALSE(take(text, GetParam()).is_complete) << text;
  }
}

TEST_P(HttpResponseTest, WhatIsNotHttpEndsIt) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& text :
       {std::string("220 ESMTP\r\n\r\n"), std::string("HTTP/1.1 huh\r\n\r\n"), std::string("\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), chunked + "x\r\n",
        chunked + "1\r\nab\r\n", chunked + "ffffffffffffffffff\r\n", std::string(100'000, 'x')}) {
    const auto taken = take(text, GetParam());
    EXPECT_FALSE(taken.is_complete) << text;
    EXPECT_FALSE(taken.wants_more) << text;
  }
}

TEST(HttpResponse, ASinkThatHasHadEnoughGetsNoMore) {
  int pieces = 0;
  HttpResponse response([&](std::string_view) {
    ++pieces;
    return false;
  });
  EXPECT_FALSE(response.take("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n"));
  EXPECT_FALSE(response.take("1\r\nc\r\n"));
  EXPECT_EQ(pieces, 1);
}

}  // namespace
}  // namespace stest
