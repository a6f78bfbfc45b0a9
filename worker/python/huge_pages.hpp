#pragma once

namespace stest {

/// Moves this process's heap into huge pages, as far as the kernel can and what is already in memory fills
/// them (Linux 6.1 and later; elsewhere nothing happens). To fork, and to end a fork, the kernel then has one
/// entry of the page tables to handle where it had 512. What a fork writes to is still copied in small pages.
void use_huge_pages();

}  // namespace stest
