#include "common/status_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/json/json_fields.hpp"
#include "common/os/read_file.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

using nlohmann::json;

/// A temporary file in the folder of its target. The destructor removes it unless it was moved to the target.
class TemporaryFile {
 public:
  static Result<TemporaryFile> beside(const std::filesystem::path& target) {
    std::string path = target.string() + ".XXXXXX";
    Fd fd(::mkostemp(path.data(), O_CLOEXEC));  // 0600
    if (!fd) return errno_error("cannot create a temporary file for " + target.string());
    return TemporaryFile(std::move(fd), std::move(path));
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  int fd() const { return fd_.get(); }

  Status move_to(const std::filesystem::path& target) {
    if (::close(fd_.release()) != 0 || ::rename(path_.c_str(), target.c_str()) != 0) {
      return errno_error("cannot write " + target.string());
    }
    path_.clear();
    return {};
  }

 private:
  TemporaryFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::string path_;  ///< Empty once moved.
};

json to_json(const Endpoint& endpoint) {
  if (!endpoint.socket.empty()) return {{"socket", bytes_to_json(endpoint.socket)}};
  return {{"port", endpoint.port}, {"token", bytes_to_json(endpoint.token)}};
}

json to_json(const DaemonStatus& status) {
  return {{"pid", status.process.pid},
          {"start_time", status.process.start_time},
          {"surroundings", environment_to_json(status.surroundings)},
          {"version", bytes_to_json(status.version)},
          {"build", bytes_to_json(status.build)},
          {"python", bytes_to_json(status.python)},
          {"endpoint", to_json(status.endpoint)},
          {"state", bytes_to_json(status.state)},
          {"since", status.since},
          {"last_result", json::parse(status.last_result)}};
}

Status read_endpoint(const json& value, Endpoint& endpoint) {
  const json object = value.value("endpoint", json());
  FieldReader fields(object, "endpoint");
  fields.read_optional("socket", endpoint.socket);
  fields.read_optional("port", endpoint.port);
  fields.read_optional("token", endpoint.token);
  if (endpoint.socket.empty() && endpoint.port == 0) fields.mistyped("socket", "a path");
  return fields.status();
}

std::optional<DaemonStatus> parse_status(const json& value) {
  DaemonStatus status;
  FieldReader fields(value, "status");
  fields.read("pid", status.process.pid);
  fields.read("start_time", status.process.start_time);
  fields.read("version", status.version);
  fields.read("build", status.build);
  fields.read("python", status.python);
  fields.read("state", status.state);
  fields.read_optional("surroundings", status.surroundings);
  fields.read_optional("since", status.since);
  if (!fields.status() || !read_endpoint(value, status.endpoint)) return std::nullopt;
  status.last_result = value.value("last_result", json()).dump();
  return status;
}

}  // namespace

Status write_status(const std::filesystem::path& file, const DaemonStatus& status) {
  Result<TemporaryFile> temporary = TemporaryFile::beside(file);
  if (!temporary) return tl::unexpected(temporary.error());
  const std::string text = to_json(status).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  if (Status written = write_all(temporary->fd(), text); !written) return written;
  return temporary->move_to(file);
}

std::optional<DaemonStatus> read_last_status(const std::filesystem::path& file) {
  const Result<std::optional<std::string>> text = read_file(file);
  if (!text || !*text) return std::nullopt;
  return parse_status(json::parse(**text, nullptr, false));
}

std::optional<DaemonStatus> read_status(const std::filesystem::path& file) {
  auto status = read_last_status(file);
  if (!status || !shares_pids(status->surroundings, own_surroundings())) return std::nullopt;
  if (!is_alive(status->process)) status.reset();
  return status;
}

std::string build_id(const std::filesystem::path& executable) {
  struct stat info {};
  if (::stat(executable.c_str(), &info) != 0) return {};
  return std::to_string(info.st_dev) + "-" + std::to_string(info.st_ino) + "-" +
         std::to_string(info.st_size) + "-" + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec);
}

}  // namespace stest
