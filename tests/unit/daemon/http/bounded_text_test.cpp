#include "daemon/http/bounded_text.hpp"

#include <gtest/gtest.h>

namespace stest {
namespace {

constexpr auto limit = BoundedText::limit;

TEST(BoundedText, KeepsAllOfWhatFits) {
  BoundedText text;
  text.append("a");
  text.append(std::string(2 * limit - 2, 'x'));
  text.append("b");
  EXPECT_EQ(text.dropped(), 0u);
  EXPECT_EQ(text.text(), "a" + std::string(2 * limit - 2, 'x') + "b");
}

TEST(BoundedText, KeepsTheBeginningAndTheEndAndCountsTheRest) {
  BoundedText text;
  text.append("begin" + std::string(limit, 'x'));
  for (int i = 0; i < 100; ++i) text.append(std::string(limit / 2, 'y'));
  text.append("end");
  const auto shown = text.text();
  const auto dropped = 5 + limit + 50 * limit + 3 - 2 * limit;
  EXPECT_EQ(text.dropped(), dropped);
  EXPECT_TRUE(shown.starts_with("beginxxx"));
  EXPECT_TRUE(shown.ends_with("yyyend"));
  const auto line = "\n[stest: " + std::to_string(dropped) + " bytes are left out here]\n";
  EXPECT_NE(shown.find(line), shown.npos);
  EXPECT_EQ(shown.size(), 2 * limit + line.size());
}

TEST(BoundedText, CutsBetweenCharacters) {
  for (const std::string padding : {"", "-", "--", "---"}) {
    BoundedText text;
    text.append(padding);
    for (std::size_t i = 0; i < limit; ++i) text.append("\xf0\x9f\xa6\x8a");
    const auto shown = text.text();
    const auto end = shown.find("\n[stest: ");
    ASSERT_NE(end, shown.npos);
    EXPECT_EQ((end - padding.size()) % 4, 0u) << padding;
    EXPECT_EQ(shown[shown.find("]\n") + 2], '\xf0') << padding;
    EXPECT_EQ(text.dropped(), padding.size() + 4 * limit - 2 * limit + (limit - end) +
                                  (limit - (shown.size() - shown.find("]\n") - 2)));
  }
}

}  // namespace
}  // namespace stest
