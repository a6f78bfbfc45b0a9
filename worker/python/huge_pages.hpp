#pragma once

namespace stest {

/// Moves this process's heap into huge pages, where memory in use nearly fills them and the kernel can do it
/// (Linux 6.1 and later; before that nothing happens). A fork, and the end of a fork, then take one entry of
/// the page tables instead of 512. A page that a fork writes to is still copied as a small page.
void use_huge_pages();

}  // namespace stest
