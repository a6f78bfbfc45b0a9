#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/http/server_socket.hpp"
#include "daemon/service.hpp"

namespace stest {

/// The HTTP API, as `docs/http_api.md` describes it. Converts requests to calls of the service, and its
/// answers to JSON. Contains no policy.
class HttpServer {
 public:
  /// Borrows `service`. Clients can connect already, and wait for `serve`.
  HttpServer(Service& service, ServerSocket socket);
  ~HttpServer();

  /// Serves until `stop`. Returns when the last connection has ended.
  void serve();

  /// Accepts no more connections, and removes the socket's file. May be called before `serve`.
  void stop();

  /// "GET /v1/status", …
  std::vector<std::string> routes() const;

 private:
  class Server;

  std::unique_ptr<Server> server_;
};

}  // namespace stest
