#include "worker/python/finalisers.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace stest::finalisers {

namespace {

/// The types that are written in C in these modules only free memory, unless they have `tp_finalize`.
constexpr std::array<std::string_view, 26> modules_that_free_memory{
    "builtins",  "_abc",       "_collections", "collections", "_contextvars", "_ctypes", "datetime",
    "decimal",   "_functools", "functools",    "itertools",   "_json",        "math",    "numpy",
    "_operator", "operator",   "_random",      "re",          "_sre",         "string",  "_struct",
    "_thread",   "types",      "typing",       "weakref",     "_weakref"};

/// Functions in these files only keep a table of weak references in order.
constexpr std::array<std::string_view, 3> files_of_callbacks{"/weakref.py", "/_weakrefset.py",
                                                             "/logging/__init__.py"};

/// Instances lead to the whole session, which is not the project's.
constexpr std::array<std::string_view, 4> modules_of_sessions{"_pytest.assertion", "_pytest.config",
                                                              "_pytest.main", "pluggy"};

template <std::size_t size>
bool is_in(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct TypeFacts {
  bool has_finaliser = true;
  bool is_of_session = false;
};

/// `type.__module__`, without calling code of a metaclass.
std::string module_of(PyTypeObject* type) {
  static PyObject* const name = PyUnicode_InternFromString("__module__");
  const auto found =
      py::reinterpret_steal<py::object>(PyType_Type.tp_getattro(reinterpret_cast<PyObject*>(type), name));
  if (!found) PyErr_Clear();
  return found && py::isinstance<py::str>(found) ? found.cast<std::string>() : std::string();
}

class Scan {
 public:
  explicit Scan(const py::handle& a_class)
      : of_classes_(reinterpret_cast<PyTypeObject*>(a_class.ptr())->tp_dealloc) {}

  bool has_finaliser(PyObject* object) {
    if (PyGen_CheckExact(object)) return is_set(object, "gi_frame");
    if (PyCoro_CheckExact(object)) return is_set(object, "cr_frame");
    if (PyAsyncGen_CheckExact(object)) return is_set(object, "ag_frame");
    return facts_of(Py_TYPE(object)).has_finaliser || (PyWeakref_Check(object) && has_callback(object));
  }

  /// Whether the session can be reached from it, or a module, whose variables are looked at on their own.
  bool is_border(PyObject* object) {
    return PyModule_Check(object) || facts_of(Py_TYPE(object)).is_of_session;
  }

 private:
  const TypeFacts& facts_of(PyTypeObject* type) {
    const auto [found, is_new] = facts_.try_emplace(type);
    if (is_new) found->second = {!only_frees_memory(type), is_of_session(type)};
    return found->second;
  }

  bool only_frees_memory(PyTypeObject* type) const {
    if (is_memory_file(type)) return true;
    if (type->tp_finalize != nullptr || type->tp_del != nullptr) return false;
    while (type != nullptr && type->tp_dealloc == of_classes_) type = type->tp_base;
    return type != nullptr && is_in(modules_that_free_memory, module_of(type));
  }

  static bool is_memory_file(PyTypeObject* type) {
    const std::string_view name(type->tp_name);
    return (name == "_io.StringIO" || name == "_io.BytesIO") && module_of(type) == "_io";
  }

  static bool is_of_session(PyTypeObject* type) {
    const auto module = module_of(type);
    return std::any_of(modules_of_sessions.begin(), modules_of_sessions.end(),
                       [&](auto name) { return module.rfind(name, 0) == 0; });
  }

  static py::object attribute(PyObject* object, const char* name) {
    auto found = py::reinterpret_steal<py::object>(PyObject_GenericGetAttr(object, py::str(name).ptr()));
    if (!found) PyErr_Clear();
    return found;
  }

  static bool is_set(PyObject* object, const char* name) {
    const auto found = attribute(object, name);
    return found && !found.is_none();
  }

  static bool has_callback(PyObject* reference) {
    const auto callback = attribute(reference, "__callback__");
    if (!callback || callback.is_none()) return false;
    if (PyCFunction_Check(callback.ptr())) return !is_of_abc(callback);
    if (!PyFunction_Check(callback.ptr())) return true;
    const auto code = py::reinterpret_borrow<py::object>(PyFunction_GET_CODE(callback.ptr()));
    const auto file = code.attr("co_filename").cast<std::string>();
    return std::none_of(files_of_callbacks.begin(), files_of_callbacks.end(), [&](auto end) {
      return file.size() >= end.size() && file.compare(file.size() - end.size(), end.size(), end) == 0;
    });
  }

  /// Whether it takes a dead class out of a set of `_abc`. Of such a function only the name tells.
  static bool is_of_abc(const py::object& function) {
    return std::string_view(reinterpret_cast<PyCFunctionObject*>(function.ptr())->m_ml->ml_name) ==
           "_destroy";
  }

  destructor of_classes_;
  std::unordered_map<PyTypeObject*, TypeFacts> facts_;
};

/// Calls `visit` for each object that `object` refers to.
template <class Visit>
void visit_referents(PyObject* object, Visit& visit) {
  const auto traverse = Py_TYPE(object)->tp_traverse;
  if (traverse == nullptr || !PyObject_IS_GC(object)) return;
  traverse(
      object,
      [](PyObject* referent, void* data) {
        (*static_cast<Visit*>(data))(referent);
        return 0;
      },
      &visit);
}

std::vector<PyObject*> items(const py::list& list) {
  std::vector<PyObject*> found;
  for (const auto& item : list) found.push_back(item.ptr());
  return found;
}

/// Numbers of objects by their address. A hash table of its own, because millions of references are looked
/// up.
class Numbers {
 public:
  static constexpr std::size_t none = -1;

  explicit Numbers(const std::vector<PyObject*>& objects) {
    while ((std::size_t{1} << bits_) < 2 * objects.size()) ++bits_;
    slots_.resize(std::size_t{1} << bits_, {nullptr, none});
    for (std::size_t number = 0; number < objects.size(); ++number) {
      slots_[slot_of(objects[number])] = {objects[number], number};
    }
  }

  std::size_t of(PyObject* object) const { return slots_[slot_of(object)].second; }

 private:
  /// Where the object is, or would be.
  std::size_t slot_of(PyObject* object) const {
    const auto spread = (reinterpret_cast<std::uintptr_t>(object) >> 4) * 0x9E3779B97F4A7C15u;
    std::size_t slot = spread >> (64 - bits_);
    while (slots_[slot].first != nullptr && slots_[slot].first != object) slot = (slot + 1) % slots_.size();
    return slot;
  }

  unsigned bits_ = 4;
  std::vector<std::pair<PyObject*, std::size_t>> slots_;
};

/// Follows references through the objects that the collector looks at.
class Walk {
 public:
  Walk(const py::list& objects, Scan& scan) : scan_(scan), objects_(items(objects)), numbers_(objects_) {}

  const std::vector<PyObject*>& objects() const { return objects_; }

  /// From `roots`, but not past borders; whether it meets no finaliser.
  bool meets_no_finaliser(const py::list& roots) {
    bool has_met = false;
    walk(roots, false, [&](PyObject* object) { has_met = has_met || scan_.has_finaliser(object); });
    return !has_met;
  }

  /// By their numbers: whether it gets to them from `roots`. `beyond`: past borders too.
  std::vector<bool> reached(const py::list& roots, bool beyond) {
    return walk(roots, beyond, [](PyObject*) {});
  }

 private:
  /// `meet` is called for all that it gets to, except what is frozen: this was there before the run.
  template <class Meet>
  std::vector<bool> walk(const py::list& roots, bool beyond, Meet meet) {
    std::vector<bool> met(objects_.size());
    std::unordered_set<PyObject*> untracked_met;
    std::vector<PyObject*> next = items(roots);
    auto visit = [&](PyObject* object) {
      if (!PyObject_IS_GC(object)) return meet(object);
      if (const auto number = numbers_.of(object); number != Numbers::none) {
        if (met[number]) return;
        met[number] = true;
      } else if (PyObject_GC_IsTracked(object) || !untracked_met.insert(object).second) {
        return;
      }
      meet(object);
      if (beyond || !scan_.is_border(object)) next.push_back(object);
    };
    while (!next.empty()) {
      PyObject* const object = next.back();
      next.pop_back();
      visit_referents(object, visit);
    }
    return met;
  }

  Scan& scan_;
  std::vector<PyObject*> objects_;
  Numbers numbers_;
};

}  // namespace

bool are_in(const py::list& objects, const py::handle& a_class) {
  Scan scan(a_class);
  bool has_met = false;
  auto visit = [&](PyObject* object) {
    has_met = has_met || (!PyObject_IS_GC(object) && scan.has_finaliser(object));
  };
  for (const auto& object : objects) {
    if (scan.has_finaliser(object.ptr())) return true;
    visit_referents(object.ptr(), visit);
  }
  return has_met;
}

bool are_only_in_use_elsewhere(const py::list& objects, const py::list& variables, const py::list& live,
                               const py::handle& a_class) {
  Scan scan(a_class);
  Walk walk(objects, scan);
  if (!walk.meets_no_finaliser(variables)) return false;
  const auto in_use = walk.reached(live, true);
  for (std::size_t number = 0; number < in_use.size(); ++number) {
    if (!in_use[number] && scan.has_finaliser(walk.objects()[number])) return false;
  }
  return true;
}

void run(const py::list& objects, const py::list& variables, const py::list& live,
         const py::handle& a_class) {
  Scan scan(a_class);
  Walk walk(objects, scan);
  const auto reached = walk.reached(variables, false);
  std::vector<std::size_t> found;
  for (std::size_t number = 0; number < reached.size(); ++number) {
    if (reached[number] && scan.has_finaliser(walk.objects()[number])) found.push_back(number);
  }
  if (found.empty()) return;
  const auto in_use = walk.reached(live, false);
  std::vector<py::object> ending;
  for (const auto number : found) {
    if (!in_use[number]) ending.push_back(py::reinterpret_borrow<py::object>(walk.objects()[number]));
  }
  for (const auto& object : ending) {
    if (PyWeakref_Check(object.ptr())) Py_TYPE(object.ptr())->tp_clear(object.ptr());
  }
  for (const auto& object : ending) {
    if (Py_TYPE(object.ptr())->tp_finalize != nullptr) PyObject_CallFinalizer(object.ptr());
  }
}

}  // namespace stest::finalisers
