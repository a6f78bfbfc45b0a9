#include "daemon/held_file.hpp"

#include <gtest/gtest.h>

#include "unit/temporary_folder.hpp"

namespace stest {
namespace {

TEST(HeldFile, SeesAFolderThatIsDeletedOrReplaced) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "root";
  std::filesystem::create_directory(path);
  const HeldFile held(path);
  EXPECT_EQ(held.place(), HeldFile::Place::same);
  std::filesystem::remove(path);
  EXPECT_EQ(held.place(), HeldFile::Place::gone);
  std::filesystem::create_directory(path);  // Many file systems would use the same number again.
  EXPECT_EQ(held.place(), HeldFile::Place::replaced);
}

TEST(HeldFile, SeesAFolderThatIsMoved) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "above" / "root";
  std::filesystem::create_directories(path);
  const HeldFile held(path);
  std::filesystem::rename(path.parent_path(), folder.path() / "elsewhere");
  EXPECT_EQ(held.place(), HeldFile::Place::gone);
  std::filesystem::rename(folder.path() / "elsewhere", path.parent_path());
  EXPECT_EQ(held.place(), HeldFile::Place::same);
}

TEST(HeldFile, WhatWasNeverThereIsNotMissed) {
  EXPECT_EQ(HeldFile("/no/such/file").place(), HeldFile::Place::same);
}

}  // namespace
}  // namespace stest
