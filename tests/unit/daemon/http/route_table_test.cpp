#include "daemon/http/route_table.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

using Methods = std::vector<std::string>;

TEST(RouteTable, FindsTheMethodsOfAPath) {
  RouteTable routes;
  routes.add("GET", "/runs");
  routes.add("POST", "/runs");
  routes.add("POST", "/run/{id}/cancel");
  EXPECT_EQ(routes.methods_of("/runs"), (Methods{"GET", "POST"}));
  EXPECT_EQ(routes.methods_of("/run/7/cancel"), Methods{"POST"});
  EXPECT_EQ(routes.methods_of("/run/18446744073709551615/cancel"), Methods{"POST"});
  EXPECT_EQ(routes.all(), (Methods{"GET /runs", "POST /runs", "POST /run/{id}/cancel"}));
  for (const auto* path :
       {"", "/", "/runs/", "/run//cancel", "/run/cancel", "/run/x/cancel", "/run/7/cancel/",
        "/run/7/8/cancel", "/run/-7/cancel", "/run/184467440737095516150/cancel"}) {
    EXPECT_TRUE(routes.methods_of(path).empty()) << path;
  }
}

TEST(RouteTable, TurnsPathsIntoRegularExpressions) {
  EXPECT_EQ(RouteTable::pattern("/runs"), "/runs");
  EXPECT_EQ(RouteTable::pattern("/run/{id}/cancel"), R"(/run/(\d+)/cancel)");
}

}  // namespace
}  // namespace stest
