#include "unit/daemon/harness.hpp"

#include <nlohmann/json.hpp>

namespace stest {

Service::Options ServiceFixture::options() {
  Service::Options options;
  options.root = project.path();
  options.status_file = project.path() / "status.json";
  options.status.process = identify(getpid()).value();
  options.status.version = "1.2.3";
  options.status.endpoint.socket = "/run/daemon.sock";
  options.worker = program();
  return options;
}

event::Done ServiceFixture::run(RunRequest request, Recorder& client) {
  auto ticket = service().admit(std::move(request));
  if (!ticket) {
    ADD_FAILURE() << ticket.error().message;
    return {};
  }
  service().run(**ticket, client.listener());
  return client.done();
}

std::string ServiceFixture::status_state() { return service().status().at("state").get<std::string>(); }

}  // namespace stest
