#include "worker/watch/code.hpp"

#include <dlfcn.h>
#include <link.h>

#include <span>
#include <utility>

namespace stest::watch {

namespace {

/// Empty if other code asks through this library: the interpreter is in it too, or it is a sanitizer's, which
/// interposes much of the C library.
Code find_allocator() {
  const Code code = code_around(::dlsym(RTLD_DEFAULT, "malloc"));
  const bool is_alone = !code.contains(::dlsym(RTLD_DEFAULT, "Py_IsInitialized")) && !has_sanitizer();
  return is_alone ? code : Code{};
}

const Code allocator = find_allocator();

}  // namespace

bool Code::contains(const void* address) const noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return at >= begin && at < end;
}

Code code_around(const void* address) {
  std::pair found{address, Code{}};
  const auto look = [](dl_phdr_info* library, std::size_t, void* data) {
    auto& [wanted, code] = *static_cast<decltype(found)*>(data);
    for (const auto& part : std::span(library->dlpi_phdr, library->dlpi_phnum)) {
      const auto begin = library->dlpi_addr + part.p_vaddr;
      const Code all{begin, begin + part.p_memsz};
      if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0 && all.contains(wanted)) code = all;
    }
    return 0;
  };
  ::dl_iterate_phdr(look, &found);
  return found.second;
}

Code code_of(const void* function) {
  constexpr std::uintptr_t usual_size = 1024;
  const auto begin = reinterpret_cast<std::uintptr_t>(function);
  Dl_info info{};
  ElfW(Sym)* symbol = nullptr;
  const bool is_known = ::dladdr1(function, &info, reinterpret_cast<void**>(&symbol), RTLD_DL_SYMENT) != 0 &&
                        symbol != nullptr && info.dli_saddr == function;
  return {begin, begin + (is_known ? symbol->st_size : usual_size)};
}

bool has_sanitizer() noexcept { return ::dlsym(RTLD_DEFAULT, "__sanitizer_set_death_callback") != nullptr; }

bool is_of_allocator(const void* address) noexcept { return allocator.contains(address); }

}  // namespace stest::watch
