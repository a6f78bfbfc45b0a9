#include "daemon/worker/start_failure.hpp"

#include <string>
#include <utility>

namespace stest {

namespace {

/// All variables: it is not known which ones a worker has read if it ended before its greeting.
VariableReaders names(const Environment& one, const Environment& other) {
  VariableReaders found;
  for (const auto* env : {&one, &other}) {
    for (const auto& [name, value] : *env) found.emplace(name, "");
  }
  return found;
}

}  // namespace

Error StartFailure::remember(const WorkerInstance& instance, const WorkerProgram& program, Error error) {
  auto folders = usual_site_dirs(program.python);
  if (instance.unable) {
    folders.insert(folders.end(), instance.unable->site_dirs.begin(), instance.unable->site_dirs.end());
  }
  known_ = Known{instance.key, sites_state(program.python, folders), error};
  for (const auto& file : {program.host.executable, program.host.library})
    known_->state[file.string()] = file_state(file);
  for (const auto& file : instance.ready.files) {
    if (file_state(file.path) == file.state) known_->state[file.path] = file.state;
  }
  return error;
}

std::optional<Error> StartFailure::find(const WorkerKey& wanted) {
  if (!known_) return std::nullopt;
  const bool is_same = !difference(known_->key, wanted, names(known_->key.env, wanted.env));
  if (is_same && !changed_site(known_->state)) return known_->error;
  known_.reset();
  return std::nullopt;
}

}  // namespace stest
