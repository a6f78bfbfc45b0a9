#pragma once

/// What is another at each moment and in each process, and who is told when somebody asks for it.
namespace stest::watch {

enum class Question { clock, randomness, identity, folder, system_call };

/// Any thread may ask, whatever locks it holds.
struct Listener {
  /// Whether a question of this thread would be heard now.
  bool (*hears)(Question) noexcept;
  void (*tell)(Question) noexcept;
};

/// There is one listener at most, for good.
void set_listener(const Listener& listener);

/// The same of the listener; false and nothing where there is none.
bool hears(Question question) noexcept;
void tell(Question question) noexcept;

}  // namespace stest::watch
