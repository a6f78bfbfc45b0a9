#pragma once

/// Questions for values that differ between moments or processes, and the listener that is told of them.
namespace stest::watch {

enum class Question { clock, randomness, identity, folder, system_call };

/// Is called in any thread, which may hold any locks.
struct Listener {
  /// Whether the listener wants to know of such a question in this thread now.
  bool (*hears)(Question) noexcept;
  void (*tell)(Question) noexcept;
};

/// Sets the listener. There is only one, and it stays.
void set_listener(const Listener& listener);

/// Calls the listener. Without one, `hears` returns false and `tell` does nothing.
bool hears(Question question) noexcept;
void tell(Question question) noexcept;

}  // namespace stest::watch
