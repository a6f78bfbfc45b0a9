#include "daemon/worker/mailbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

namespace stest {
namespace {

bool rings(const Mailbox& mailbox) {
  pollfd polled{mailbox.fd(), POLLIN, 0};
  return ::poll(&polled, 1, 0) == 1;
}

TEST(Mailbox, RingsUntilItIsEmptied) {
  const auto mailbox = Mailbox::create().value();
  EXPECT_FALSE(rings(*mailbox));
  mailbox->put(protocol::Started{1, 2});
  mailbox->put(protocol::Done{});
  EXPECT_TRUE(rings(*mailbox));
  EXPECT_EQ(mailbox->take().messages.size(), 2u);
  EXPECT_FALSE(rings(*mailbox));
  EXPECT_TRUE(mailbox->take().messages.empty());
}

TEST(Mailbox, DeliversTheWorkersDeath) {
  const auto mailbox = Mailbox::create().value();
  mailbox->put_death({.code = {}, .signal = 9});
  EXPECT_TRUE(rings(*mailbox));
  EXPECT_EQ(mailbox->take().death->signal, 9);
}

}  // namespace
}  // namespace stest
