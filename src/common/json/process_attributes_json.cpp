#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/json/json_fields.hpp"
#include "stest/process_attributes.hpp"

namespace stest {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 3> leads_names{"nothing", "group", "session"};

json limit_json(const std::string& resource, const Limit& limit) {
  const auto number = [](const auto& value) { return value ? json(*value) : json(); };
  return {{"resource", resource}, {"soft", number(limit.soft)}, {"hard", number(limit.hard)}};
}

/// The largest limit that all JSON parsers can read.
constexpr std::uint64_t largest_limit = std::numeric_limits<std::int64_t>::max();

void read_limit(FieldReader& fields, std::map<std::string, Limit>& out) {
  std::string resource;
  fields.read("resource", resource);
  Limit& limit = out[resource];
  fields.read_optional("soft", limit.soft);
  fields.read_optional("hard", limit.hard);
  for (const auto& [name, value] : {std::pair{"soft", limit.soft}, std::pair{"hard", limit.hard}}) {
    if (value.value_or(0) > largest_limit) fields.mistyped(name, "a number below 2^63, or null for no limit");
  }
}

void read_leads(FieldReader& fields, Leads& out) {
  std::string name = leads_names[0];
  fields.read_optional("leads", name);
  const auto found = std::find(leads_names.begin(), leads_names.end(), name);
  if (found == leads_names.end()) return fields.mistyped("leads", "nothing, group or session");
  out = static_cast<Leads>(found - leads_names.begin());
}

bool are_signals(const std::vector<int>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](int one) { return one > 0 && one <= SIGRTMAX; });
}

}  // namespace

json to_json(const ProcessAttributes& attributes) {
  auto limits = json::array();
  for (const auto& [resource, limit] : attributes.limits) limits.push_back(limit_json(resource, limit));
  return {{"affinity", attributes.affinity},
          {"nice", attributes.nice},
          {"policy", attributes.policy},
          {"priority", attributes.priority},
          {"io_priority", attributes.io_priority},
          {"limits", std::move(limits)},
          {"ignored_signals", attributes.ignored_signals},
          {"blocked_signals", attributes.blocked_signals},
          {"oom_score_adj", attributes.oom_score_adj},
          {"leads", leads_names[static_cast<std::size_t>(attributes.leads)]}};
}

void read(FieldReader& fields, ProcessAttributes& out) {
  fields.refuse_others({"affinity", "nice", "policy", "priority", "io_priority", "limits", "ignored_signals",
                        "blocked_signals", "oom_score_adj", "leads"});
  fields.read_optional("affinity", out.affinity);
  fields.read_optional("nice", out.nice);
  fields.read_optional("policy", out.policy);
  fields.read_optional("priority", out.priority);
  fields.read_optional("io_priority", out.io_priority);
  fields.read_optional_objects("limits", [&](FieldReader& item) { read_limit(item, out.limits); });
  fields.read_optional("ignored_signals", out.ignored_signals);
  fields.read_optional("blocked_signals", out.blocked_signals);
  fields.read_optional("oom_score_adj", out.oom_score_adj);
  read_leads(fields, out.leads);
  const auto& processors = out.affinity;
  if (std::any_of(processors.begin(), processors.end(), [](int one) { return one < 0; })) {
    fields.mistyped("affinity", "a list of processors, counted from 0");
  }
  for (const auto& [name, list] : {std::pair{"ignored_signals", &out.ignored_signals},
                                   std::pair{"blocked_signals", &out.blocked_signals}}) {
    if (!are_signals(*list)) fields.mistyped(name, "a list of signals");
  }
}

}  // namespace stest
