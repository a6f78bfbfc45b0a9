#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stest/config.hpp"
#include "stest/error.hpp"

namespace stest {

/// A list of byte strings, each converted by `bytes_to_json`.
nlohmann::json list_to_json(const std::vector<std::string>& list);

/// An object of byte strings. If a name is not UTF-8, as a JSON key must be, it is a list of [name, value]
/// pairs instead. In an `OptionalEnvironment` a value may be null.
using OptionalEnvironment = std::map<std::string, std::optional<std::string>>;
nlohmann::json environment_to_json(const Environment& env);
nlohmann::json environment_to_json(const OptionalEnvironment& env);

/// Reads the fields of one JSON object and keeps the first error, so that a parser can read all fields and
/// check once. Borrows `value`.
class FieldReader {
 public:
  /// `what` names the object in messages: "run request".
  FieldReader(const nlohmann::json& value, std::string what);
  FieldReader(nlohmann::json&& value, std::string what) = delete;

  /// Reads a required field. T: bool, int, int64, uint64, double, a byte string, a list of byte strings or of
  /// ints, an (optional) environment.
  template <class T>
  void read(const char* field, T& out) {
    if (const nlohmann::json* found = find(field, true)) take(field, *found, out);
  }

  /// Reads a field that may be missing or null; `out` then stays unchanged.
  template <class T>
  void read_optional(const char* field, T& out) {
    if (const nlohmann::json* found = find(field, false)) take(field, *found, out);
  }
  template <class T>
  void read_optional(const char* field, std::optional<T>& out) {
    T value{};
    if (const nlohmann::json* found = find(field, false)) {
      take(field, *found, value);
      out = value;
    }
  }

  /// Reads a list of objects, each by `read_item(FieldReader&)`.
  template <class ReadItem>
  void read_objects(const char* field, ReadItem read_item) {
    const nlohmann::json* found = find(field, true);
    if (found == nullptr) return;
    if (!found->is_array()) return mistyped(field, "a list of objects");
    for (const nlohmann::json& item : *found) {
      FieldReader reader(item, what_ + ": " + field);
      read_item(reader);
      if (!error_) error_ = reader.error_;
    }
  }

  /// The same for a list that may be missing or null.
  template <class ReadItem>
  void read_optional_objects(const char* field, ReadItem read_item) {
    if (find(field, false) != nullptr) read_objects(field, read_item);
  }

  /// Reads an object by `read_fields(FieldReader&)`, which is not called if the object is missing or null.
  template <class ReadFields>
  void read_optional_object(const char* field, ReadFields read_fields) {
    const nlohmann::json* found = find(field, false);
    if (found == nullptr) return;
    FieldReader reader(*found, what_ + ": " + field);
    read_fields(reader);
    if (!error_) error_ = reader.error_;
  }

  /// Reports an error if there is a field that is not in `known`.
  void refuse_others(std::initializer_list<std::string_view> known);

  /// Reports the error that `field` is not `expected`.
  void mistyped(std::string_view field, std::string_view expected);

  /// The first error, as `bad_request`.
  Status status() const;

 private:
  const nlohmann::json* find(const char* field, bool required);
  void complain(const std::string& message);

  void take(const char* field, const nlohmann::json& value, bool& out);
  void take(const char* field, const nlohmann::json& value, int& out);
  void take(const char* field, const nlohmann::json& value, std::int64_t& out);
  template <class Integer>
  void take_signed(const char* field, const nlohmann::json& value, Integer& out);
  void take(const char* field, const nlohmann::json& value, std::uint64_t& out);
  void take(const char* field, const nlohmann::json& value, double& out);
  void take(const char* field, const nlohmann::json& value, std::string& out);
  void take(const char* field, const nlohmann::json& value, std::vector<std::string>& out);
  void take(const char* field, const nlohmann::json& value, std::vector<int>& out);
  void take(const char* field, const nlohmann::json& value, Environment& out);
  void take(const char* field, const nlohmann::json& value, OptionalEnvironment& out);

  const nlohmann::json& value_;
  std::string what_;
  std::optional<Error> error_;
};

}  // namespace stest
