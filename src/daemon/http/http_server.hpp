#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/http/server_socket.hpp"
#include "daemon/service.hpp"

namespace stest {

/// The HTTP API, as `docs/http_api.md` describes it: turns requests into calls of the service and its
/// answers into JSON. Decides nothing.
class HttpServer {
 public:
  /// Borrows `service`. Clients can connect already; they wait for `serve`.
  HttpServer(Service& service, ServerSocket socket);
  ~HttpServer();

  /// Serves until `stop`; returns when the last connection is over.
  void serve();

  /// Accepts nothing more, and removes the socket's file; effective before `serve` too.
  void stop();

  /// "GET /v1/status", …
  std::vector<std::string> routes() const;

 private:
  class Server;

  std::unique_ptr<Server> server_;
};

}  // namespace stest
