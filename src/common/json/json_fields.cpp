#include "common/json/json_fields.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/bytes.hpp"
#include "stest/messages.hpp"

namespace stest {
namespace {

using nlohmann::json;

json value_to_json(const std::string& value) { return bytes_to_json(value); }

json value_to_json(const std::optional<std::string>& value) {
  return value ? bytes_to_json(*value) : json(nullptr);
}

template <class Map>
json map_to_json(const Map& map) {
  const bool keys_fit =
      std::all_of(map.begin(), map.end(), [](const auto& row) { return is_utf8(row.first); });
  json result = keys_fit ? json::object() : json::array();
  for (const auto& [key, value] : map) {
    if (keys_fit) {
      result[key] = value_to_json(value);
    } else {
      result.push_back(json::array({bytes_to_json(key), value_to_json(value)}));
    }
  }
  return result;
}

bool value_from_json(const json& value, std::string& out) {
  Result<std::string> bytes = bytes_from_json(value);
  if (bytes) out = std::move(*bytes);
  return bytes.has_value();
}

bool value_from_json(const json& value, std::optional<std::string>& out) {
  return value.is_null() || value_from_json(value, out.emplace());
}

template <class Map>
bool pair_from_json(const json& pair, Map& out) {
  std::string key;
  typename Map::mapped_type value;
  if (!pair.is_array() || pair.size() != 2) return false;
  if (!value_from_json(pair[0], key) || !value_from_json(pair[1], value)) return false;
  out[key] = std::move(value);
  return true;
}

template <class Map>
bool map_from_json(const json& value, Map& out) {
  if (value.is_array()) {
    return std::all_of(value.begin(), value.end(),
                       [&](const json& pair) { return pair_from_json(pair, out); });
  }
  if (!value.is_object()) return false;
  for (const auto& [key, item] : value.items()) {
    if (!value_from_json(item, out[key])) return false;
  }
  return true;
}

}  // namespace

json list_to_json(const std::vector<std::string>& list) {
  json result = json::array();
  for (const std::string& item : list) result.push_back(bytes_to_json(item));
  return result;
}

json environment_to_json(const Environment& env) { return map_to_json(env); }

json environment_to_json(const OptionalEnvironment& env) { return map_to_json(env); }

FieldReader::FieldReader(const json& value, std::string what) : value_(value), what_(std::move(what)) {
  if (!value_.is_object()) complain(what_ + " must be a JSON object");
}

void FieldReader::refuse_others(std::initializer_list<std::string_view> known) {
  if (!value_.is_object()) return;
  for (const auto& [field, value] : value_.items()) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      complain(what_ + ": unknown field '" + field + "'");
    }
  }
}

void FieldReader::mistyped(std::string_view field, std::string_view expected) {
  complain(what_ + ": field '" + std::string(field) + "' must be " + std::string(expected));
}

Status FieldReader::status() const {
  if (error_) return tl::unexpected(*error_);
  return {};
}

const json* FieldReader::find(const char* field, bool required) {
  if (!value_.is_object()) return nullptr;
  const auto found = value_.find(field);
  if (found == value_.end()) {
    if (required) complain(what_ + ": field '" + field + "' is missing");
    return nullptr;
  }
  return !required && found->is_null() ? nullptr : &*found;
}

void FieldReader::complain(const std::string& message) {
  if (!error_) error_ = Error{ErrorCode::bad_request, message, {}};
}

void FieldReader::take(const char* field, const json& value, bool& out) {
  if (!value.is_boolean()) return mistyped(field, "true or false");
  out = value.get<bool>();
}

template <class Integer>
void FieldReader::take_signed(const char* field, const json& value, Integer& out) {
  using Limits = std::numeric_limits<Integer>;
  // Unsigned numbers above the int64 range would wrap if read as signed ones.
  const bool fits = value.is_number_unsigned()
                        ? value.get<std::uint64_t>() <= static_cast<std::uint64_t>(Limits::max())
                        : value.is_number_integer() && value.get<std::int64_t>() >= Limits::min() &&
                              value.get<std::int64_t>() <= Limits::max();
  if (!fits) return mistyped(field, "a whole number");
  out = value.get<Integer>();
}

void FieldReader::take(const char* field, const json& value, int& out) { take_signed(field, value, out); }

void FieldReader::take(const char* field, const json& value, std::int64_t& out) {
  take_signed(field, value, out);
}

void FieldReader::take(const char* field, const json& value, std::uint64_t& out) {
  const bool fits =
      value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
  if (!fits) return mistyped(field, "a whole number from 0");
  out = value.get<std::uint64_t>();
}

void FieldReader::take(const char* field, const json& value, double& out) {
  if (!value.is_number()) return mistyped(field, "a number");
  out = value.get<double>();
}

void FieldReader::take(const char* field, const json& value, std::string& out) {
  if (!value_from_json(value, out)) mistyped(field, "a string");
}

void FieldReader::take(const char* field, const json& value, std::vector<std::string>& out) {
  std::vector<std::string> list;
  const bool fits = value.is_array() && std::all_of(value.begin(), value.end(), [&](const json& item) {
                      return value_from_json(item, list.emplace_back());
                    });
  if (!fits) return mistyped(field, "a list of strings");
  out = std::move(list);
}

void FieldReader::take(const char* field, const json& value, std::vector<int>& out) {
  if (!value.is_array()) return mistyped(field, "a list of whole numbers");
  std::vector<int> list;
  for (const json& item : value) take(field, item, list.emplace_back());
  out = std::move(list);
}

void FieldReader::take(const char* field, const json& value, Environment& out) {
  Environment env;
  if (!map_from_json(value, env)) return mistyped(field, "an object of strings");
  out = std::move(env);
}

void FieldReader::take(const char* field, const json& value, OptionalEnvironment& out) {
  OptionalEnvironment env;
  if (!map_from_json(value, env)) return mistyped(field, "an object of strings and nulls");
  out = std::move(env);
}

}  // namespace stest
