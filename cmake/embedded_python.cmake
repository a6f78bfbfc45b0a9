# The Python to embed: the one that `Python_EXECUTABLE` names (pip passes its own), else the first found.
# Target `stest_python` has pybind11 and the headers. Target `stest_libpython`, if there is one to embed, has the
# shared libpython, or the static one with every symbol exported, because extension modules take the C API from
# the executable.

option(STEST_EMBED_PYTHON "Build stest-worker, which embeds a libpython, if there is one" ON)
option(STEST_STATIC_PYTHON "Link libpython statically even where a shared one exists" OFF)

find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)
set(STEST_PYTHON_EXECUTABLE "${Python_EXECUTABLE}")

execute_process(
  COMMAND "${Python_EXECUTABLE}" -I "${CMAKE_CURRENT_LIST_DIR}/embedded_python.py"
  OUTPUT_VARIABLE _python RESULT_VARIABLE _failed)
if(_failed)
  message(FATAL_ERROR "${Python_EXECUTABLE} could not describe itself (see above).")
endif()
foreach(_key include shared static libraries version is_free_threaded dev_package)
  string(JSON STEST_PYTHON_${_key} GET "${_python}" ${_key})
endforeach()

if(STEST_PYTHON_is_free_threaded)
  message(FATAL_ERROR "stest does not support free-threaded builds of Python (${Python_EXECUTABLE}). "
                      "Use one with a global interpreter lock, or python -m pytest.")
endif()
if(NOT STEST_PYTHON_include)
  stest_missing("Python.h of Python ${Python_VERSION} (${Python_EXECUTABLE}); another Python: -DPython_EXECUTABLE=PATH"
                ${STEST_PYTHON_dev_package} python3-devel python python)
endif()

set(PYBIND11_NOPYTHON ON)  # Its headers; which Python is decided here.
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c "import pybind11; print(pybind11.get_cmake_dir())"
  OUTPUT_VARIABLE _pybind11 OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
find_package(pybind11 3 QUIET CONFIG HINTS "${_pybind11}")
if(NOT pybind11_FOUND)
  stest_missing("pybind11 3: ${Python_EXECUTABLE} -m pip install 'pybind11>=3'" - - - pybind11)
endif()
stest_found(pybind11 "${pybind11_VERSION}, ${pybind11_DIR}")

add_library(stest_python INTERFACE)
target_link_libraries(stest_python INTERFACE pybind11::headers)
target_include_directories(stest_python SYSTEM INTERFACE "${STEST_PYTHON_include}")
target_compile_options(stest_python INTERFACE -fvisibility=hidden)  # pybind11's own types are hidden.

# Without a libpython, the worker is hosted by the environment's own `python`.
set(STEST_PYTHON_LIBRARY "")
set(STEST_PYTHON_KIND none)
if(NOT STEST_EMBED_PYTHON OR STEST_WHEEL)
  return()
elseif(STEST_PYTHON_shared AND NOT STEST_STATIC_PYTHON)
  set(STEST_PYTHON_LIBRARY "${STEST_PYTHON_shared}")
  set(STEST_PYTHON_KIND shared)
  add_library(stest_libpython INTERFACE)
  target_link_libraries(stest_libpython INTERFACE "${STEST_PYTHON_LIBRARY}")
elseif(STEST_PYTHON_static)
  set(STEST_PYTHON_LIBRARY "${STEST_PYTHON_static}")
  set(STEST_PYTHON_KIND static)
  separate_arguments(_libraries UNIX_COMMAND "${STEST_PYTHON_libraries}")
  # The whole archive: an extension module may need a function that the worker itself never calls.
  add_library(stest_libpython INTERFACE)
  target_link_options(stest_libpython INTERFACE -rdynamic)
  target_link_libraries(
    stest_libpython INTERFACE -Wl,--whole-archive "${STEST_PYTHON_LIBRARY}" -Wl,--no-whole-archive
                           ${_libraries} ${CMAKE_DL_LIBS})
endif()
