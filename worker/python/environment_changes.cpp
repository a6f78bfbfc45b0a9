#include "worker/python/environment_changes.hpp"

namespace stest {

EnvironmentChanges difference(const Environment& before, const Environment& after) {
  EnvironmentChanges changes;
  for (const auto& [name, value] : after) {
    const auto found = before.find(name);
    if (found == before.end() || found->second != value) changes.set.emplace(name, value);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) changes.unset.push_back(name);
  }
  return changes;
}

Environment apply(const EnvironmentChanges& changes, Environment env) {
  for (const auto& [name, value] : changes.set) env[name] = value;
  for (const auto& name : changes.unset) env.erase(name);
  return env;
}

}  // namespace stest
