#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "stest/config.hpp"

namespace stest {
namespace {

std::string in_code(const std::string& text) { return text.empty() ? "" : "`" + text + "` "; }

/// The row that docs/configuration.md must have for a setting.
std::string row(const ConfigKey& setting) {
  return "| " + in_code(setting.key) + "| " + in_code(setting.variable) + "| " + setting.accepts + " | `" +
         setting.fallback + "` |";
}

std::string documentation() {
  std::ifstream file(STEST_CONFIGURATION_DOCS);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(ConfigurationDocs, HaveOneRowForEachSettingAndNoOther) {
  const std::string text = documentation();
  std::size_t rows = 2;  // The heading and the line below it.
  for (const ConfigKey& setting : config_keys()) {
    EXPECT_NE(text.find(row(setting) + "\n"), std::string::npos) << row(setting);
    ++rows;
  }
  std::size_t found = 0;
  for (std::size_t at = text.find("\n|"); at != std::string::npos; at = text.find("\n|", at + 1)) ++found;
  EXPECT_EQ(found, rows);
}

}  // namespace
}  // namespace stest
