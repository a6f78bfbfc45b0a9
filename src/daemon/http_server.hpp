#pragma once

#include <filesystem>
#include <memory>

#include "daemon/service.hpp"

namespace stest {

/// The HTTP API over a Unix socket, as `docs/http_api.md` describes it: turns requests into calls of
/// the service and its answers into JSON. Decides nothing.
class HttpServer {
 public:
  /// Borrows `service`.
  explicit HttpServer(Service& service);
  ~HttpServer();

  /// Listens at `socket`, which only this user can open; a stale file there is replaced. From now on
  /// clients can connect. Errors: `daemon_unavailable`.
  Status bind(const std::filesystem::path& socket);

  /// Serves until `stop`; returns when the last connection is over.
  void serve();

  /// Accepts nothing more; effective before `serve` too.
  void stop();

 private:
  class Server;

  std::unique_ptr<Server> server_;
};

}  // namespace stest
