#include "cli/terminal/ansi_filter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace stest {
namespace {

std::string plain(std::string_view bytes) { return plain_text(bytes); }

std::string plain_in_pieces(std::string_view bytes, std::size_t size) {
  AnsiFilter filter;
  std::string text;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
    text += filter.feed(bytes.substr(0, size));
  }
  return text + filter.finish();
}

TEST(AnsiFilterTest, TextPassesByteForByte) {
  for (const std::string text : {"", "a\tb\n", "ünï 名前 🎉\n", "\xe9t\xe9 latin-1 \xff\n", "dos\r\nlines\r\n",
                                 "[31m not a sequence", "no newline at the end"}) {
    EXPECT_EQ(plain(text), text);
  }
}

TEST(AnsiFilterTest, TextPassesAtOnce) {
  AnsiFilter filter;
  EXPECT_EQ(filter.feed("..."), "...");
  EXPECT_EQ(filter.feed("F\x1b[3"), "F");
  EXPECT_EQ(filter.feed("1mx"), "x");
}

TEST(AnsiFilterTest, SequencesVanish) {
  for (const std::string sequence : {"\x1b[31m",
                                     "\x1b[1;38;5;208m",
                                     "\x1b[38:2::1:2:3m",
                                     "\x1b[?25l",
                                     "\x1b[>4;2m",
                                     "\x1b[!p",
                                     "\x1b[1 q",
                                     "\x1b[2K",
                                     "\x1b[12;34H",
                                     "\x1b[m",
                                     "\x1b(B",
                                     "\x1b#8",
                                     "\x1b%G",
                                     "\x1b"
                                     "7",
                                     "\x1b=",
                                     "\x1b"
                                     "c",
                                     "\x1bM",
                                     "\x1b\\",
                                     "\x1b]0;title\x07",
                                     "\x1b]8;;https://a.b/ü\x1b\\",
                                     "\x1bP1$r0m\x1b\\",
                                     "\x1bPq#0;2;0;0;0~-\n~\x1b\\",
                                     "\x1b_Gf=24;AAAA\x1b\\",
                                     "\x1b^private\x1b\\",
                                     "\x1bXstring\x07\x1b\\",
                                     "\xc2\x9b"
                                     "31m",
                                     "\x9b"
                                     "31m",
                                     "\xc2\x9d"
                                     "0;t\xc2\x9c",
                                     "\x9d"
                                     "0;t\x9c",
                                     "\x90q\x9c",
                                     "\x84",
                                     "\x07",
                                     "\x7f",
                                     "\x0e",
                                     "\x1b\x1b[1m",
                                     "\x1b[1\x1b[2m"}) {
    EXPECT_EQ(plain("<" + sequence + ">"), "<>") << testing::PrintToString(sequence);
  }
}

TEST(AnsiFilterTest, BytesOfCharactersAreNoControls) {
  const std::string text = "\xe2\x9c\x93 \xc3\x9b \xe1\x9b\x9b \xf0\x9f\x9b\x9d\n";  // With 9B, 9C, 9D, 9F.
  EXPECT_EQ(plain(text), text);
  EXPECT_EQ(plain("\x1b]0;\xe2\x9c\x93\x07>"), ">");
}

TEST(AnsiFilterTest, ACharacterThatIsCutShortIntroducesNothing) {
  EXPECT_EQ(plain("\xe2\x9bx\n"), "\xe2x\n");
  EXPECT_EQ(plain("\xf0\x9f\x9b"), "\xf0");
  EXPECT_EQ(plain("\xe0\x80\xaf"), "\xe0\xaf");  // Overlong: 80 is a C1 control.
}

TEST(AnsiFilterTest, CancelAndSubstituteEndASequence) {
  EXPECT_EQ(plain("a\x1b[31\x18m"), "am");
  EXPECT_EQ(plain("a\x1b]0;t\x1a"
                  "b"),
            "ab");
  EXPECT_EQ(plain("a\x1bP\x1b\x18"
                  "b"),
            "ab");
}

TEST(AnsiFilterTest, ControlsWithinASequenceAreExecuted) {
  EXPECT_EQ(plain("a\x1b[3\n1mb"), "a\nb");
  EXPECT_EQ(plain("a\x1b[3\x07\x7f"
                  "1mb"),
            "ab");
}

TEST(AnsiFilterTest, TextBeyondAsciiEndsASequence) {
  EXPECT_EQ(plain("\x1b[31ü m"), "ü m");
  EXPECT_EQ(plain("\x1bü"), "ü");
}

TEST(AnsiFilterTest, AStringThatIsNeverEndedIsText) {
  EXPECT_EQ(plain("a\x1b]b\nü\x1b["), "ab\nü");
  EXPECT_EQ(plain("a\x1b]b c\x1b[0m d"), "ab c d");
  EXPECT_EQ(plain("a\x90 b\x9b"
                  "0mc"),
            "a bc");
  const std::string much(AnsiFilter::string_limit + 10, 'x');
  AnsiFilter filter;
  EXPECT_EQ(filter.feed("\x1bP" + much), much);
}

TEST(AnsiFilterTest, ALineThatIsWrittenOverLeavesItsFirstAndLastState) {
  EXPECT_EQ(plain("0%\r50%\r100%\ndone\n"), "0%\n100%\ndone\n");
  EXPECT_EQ(plain("\r0%\r50%\r100%\ndone\n"), "100%\ndone\n");
  EXPECT_EQ(plain("0%\r\x1b[K50%\x1b[1G100%\r\n"), "0%\n100%\r\n");
  EXPECT_EQ(plain("0%\r100%\r"), "0%\n100%");
}

TEST(AnsiFilterTest, AnEmptyStateWritesNothingOver) {
  EXPECT_EQ(plain("busy\r\r\n"), "busy\r\n");
  EXPECT_EQ(plain("busy\r\x1b[K\nb\n"), "busy\r\nb\n");
  EXPECT_EQ(plain("a\rb\r    \rc\n"), "a\nc\n");
  EXPECT_EQ(plain("a\r    \r\nc\n"), "a\r\nc\n");
}

TEST(AnsiFilterTest, TheFirstStateIsNotHeldBack) {
  AnsiFilter filter;
  EXPECT_EQ(filter.feed("0%\r50%"), "0%");
  EXPECT_EQ(filter.feed("\r100%"), "");
  EXPECT_EQ(filter.feed("\n."), "\n100%\n.");
}

TEST(AnsiFilterTest, ALongLineIsText) {
  const std::string much(AnsiFilter::line_limit + 1, 'x');
  AnsiFilter filter;
  EXPECT_EQ(filter.feed("a\r" + much + "b"), "a\n" + much + "b");
}

TEST(AnsiFilterTest, ABackspaceTakesBack) {
  EXPECT_EQ(plain("|\b/\b-\b\\\b|\b done\n"), "| done\n");
  EXPECT_EQ(plain("x\b\r1ü\b2\n"), "x\n12\n");
  EXPECT_EQ(plain("\r\b\ba\n"), "a\n");
}

TEST(AnsiFilterTest, OtherLineEndsAreNewlines) {
  EXPECT_EQ(plain("a\vb\fc\x1b"
                  "Ed\xc2\x85"
                  "e"),
            "a\nb\nc\nd\ne");
}

TEST(AnsiFilterTest, IsAsNewAfterTheEnd) {
  AnsiFilter filter;
  filter.feed("a\rb\x1b[");
  EXPECT_EQ(filter.finish(), "\nb");
  EXPECT_EQ(filter.feed("mx\r\n"), "mx\r\n");
  EXPECT_EQ(filter.finish(), "");
}

// ---- any bytes

/// Pieces that sequences are made of, more often than chance would have them.
std::string random_bytes(std::mt19937& random) {
  static constexpr std::string_view alphabet(
      "ab\\]P[X^_GmK1;? "
      "\n\r\t\b\x07\x0b\x0c\x18\x1a\x7f\0\x1b\x1b\x1b\xc2\xc2\xe2\xf0\x80\x85\x90\x9b\x9c\x9d\x9f"
      "\xa0\xbf\xe9\xff",
      45);
  std::string bytes(random() % 60, 0);
  for (auto& byte : bytes) byte = alphabet[random() % alphabet.size()];
  return bytes;
}

/// The bytes that terminals do something at, but for tab, newline and carriage return before newline.
bool has_controls(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f) return true;
    if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0 &&
        static_cast<unsigned char>(text[i + 1]) >= 0x80) {
      return true;
    }
  }
  return false;
}

TEST(AnsiFilterTest, AnyBytesBecomeTextHoweverTheyAreCut) {
  std::mt19937 random(4711);  // NOLINT: the same each time.
  for (int round = 0; round < 20'000; ++round) {
    const auto bytes = random_bytes(random);
    const auto text = plain(bytes);
    ASSERT_FALSE(has_controls(text)) << testing::PrintToString(bytes) << testing::PrintToString(text);
    ASSERT_EQ(plain(text), text) << testing::PrintToString(bytes);
    for (const std::size_t size : {1u, 2u, 7u}) {
      ASSERT_EQ(plain_in_pieces(bytes, size), text) << testing::PrintToString(bytes);
    }
  }
}

}  // namespace
}  // namespace stest
