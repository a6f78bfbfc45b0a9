# Libraries that are used as headers only, so that no program of stest needs them when it runs. Each is taken from
# third_party/ (in an sdist), else from the system, else from upstream's release, pinned by its hash.

set(STEST_THIRD_PARTY "${PROJECT_SOURCE_DIR}/third_party" CACHE PATH "Where headers of libraries are looked for first")
set(STEST_BUNDLE "" CACHE PATH "Copy the headers of the libraries into this folder")

# Where each library came from, for the summary.
set(STEST_DEPENDENCIES "")
macro(stest_found name origin)
  list(APPEND STEST_DEPENDENCIES "${name}: ${origin}")
endmacro()

# Whether a line of the header matches, so that it contains what is needed.
function(stest_has_line header pattern result)
  set(${result} TRUE PARENT_SCOPE)
  if(pattern)
    file(STRINGS "${header}" lines REGEX "${pattern}" LIMIT_COUNT 1)
    if(NOT lines)
      set(${result} FALSE PARENT_SCOPE)
    endif()
  endif()
endfunction()

# The folder of the first of `headers` in third_party/ or the system, else "".
function(stest_find_headers name headers pattern result)
  set(${result} "" PARENT_SCOPE)
  foreach(header IN LISTS headers)
    find_path(_folder ${header} PATHS "${STEST_THIRD_PARTY}" NO_DEFAULT_PATH NO_CACHE)
    find_path(_folder ${header} NO_CACHE)
    if(_folder)
      stest_has_line("${_folder}/${header}" "${pattern}" complete)
      if(complete)
        set(${result} "${_folder}" PARENT_SCOPE)
        return()
      endif()
    endif()
    unset(_folder)
  endforeach()
endfunction()

# Downloads and unpacks a release into `folder`; `result` is where its sources are, "" without a network.
function(stest_download name url hash result)
  set(folder "${FETCHCONTENT_BASE_DIR}/${name}")
  set(archive "${folder}.tar.gz")
  set(${result} "" PARENT_SCOPE)
  if(NOT EXISTS "${archive}")
    message(STATUS "${name}: downloading ${url}")
    file(DOWNLOAD "${url}" "${archive}.part" STATUS status INACTIVITY_TIMEOUT 20)
    list(GET status 0 failed)
    if(failed)
      return()
    endif()
    file(SHA256 "${archive}.part" actual)
    if(NOT actual STREQUAL hash)
      message(FATAL_ERROR "${url} has the hash ${actual} instead of ${hash}.")
    endif()
    file(RENAME "${archive}.part" "${archive}")
  endif()
  file(REMOVE_RECURSE "${folder}")
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
  file(GLOB sources "${folder}/*")
  set(${result} "${sources}" PARENT_SCOPE)
endfunction()

# Debian's source package, if apt-get knows one: another way to the sources.
function(stest_debian_source name result)
  set(folder "${FETCHCONTENT_BASE_DIR}/${name}-debian")
  if(NOT EXISTS "${folder}")
    execute_process(COMMAND bash "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/debian_source" ${name} "${folder}"
                    OUTPUT_QUIET ERROR_QUIET)
  endif()
  set(${result} "" PARENT_SCOPE)
  if(EXISTS "${folder}")
    set(${result} "${folder}" PARENT_SCOPE)
  endif()
endfunction()

# The sources in an sdist on PyPI, unpacked: another way to them, for who reaches no other registry.
function(stest_pypi_source name requirement archive hash result)
  set(folder "${FETCHCONTENT_BASE_DIR}/${name}-pypi")
  set(${result} "" PARENT_SCOPE)
  if(NOT EXISTS "${folder}/${archive}")
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m pip download -q --no-deps --no-binary=:all: -d "${folder}" ${requirement}
      OUTPUT_QUIET ERROR_QUIET)
  endif()
  if(EXISTS "${folder}/${archive}")
    file(SHA256 "${folder}/${archive}" actual)
    if(NOT actual STREQUAL hash)
      message(FATAL_ERROR "${folder}/${archive} has the hash ${actual} instead of ${hash}.")
    endif()
    file(ARCHIVE_EXTRACT INPUT "${folder}/${archive}" DESTINATION "${folder}")
    string(REPLACE ".tar.gz" "" unpacked "${archive}")
    set(${result} "${folder}/${unpacked}" PARENT_SCOPE)
  endif()
endfunction()

# Copies what belongs to a library, relative to the folder of its headers, if STEST_BUNDLE asks for it.
function(stest_bundle include)
  if(STEST_BUNDLE)
    foreach(part IN LISTS ARGN)
      get_filename_component(parent "${STEST_BUNDLE}/${part}" DIRECTORY)
      file(COPY "${include}/${part}" DESTINATION "${parent}")
    endforeach()
  endif()
endfunction()

# stest_header_library(NAME TARGET… HEADERS… URL… HASH… PACKAGES…): makes TARGET, or says that it is missing.
#   PACKAGES  of stest_missing
#   HEADERS   alternatives of a header that tells where the library is
#   PATTERN   a line that the header must have
#   SOURCES   where the headers are in the sources of the release
#   BUNDLE    of stest_bundle
#   DEBIAN_SOURCE  if the release cannot be reached, Debian's source package will do
macro(stest_header_library name)
  cmake_parse_arguments(_lib "DEBIAN_SOURCE" "TARGET;URL;HASH;PATTERN;SOURCES" "HEADERS;PACKAGES;BUNDLE" ${ARGN})
  stest_find_headers(${name} "${_lib_HEADERS}" "${_lib_PATTERN}" _include)
  set(_origin "${_include}")
  if(NOT _include)
    stest_download(${name} ${_lib_URL} ${_lib_HASH} _include)
    set(_origin "${_lib_URL}")
    if(NOT _include AND _lib_DEBIAN_SOURCE)
      stest_debian_source(${name} _include)
      set(_origin "Debian's source package")
    endif()
    if(_include)
      string(APPEND _include "${_lib_SOURCES}")
    endif()
  endif()
  if(_include)
    add_library(${_lib_TARGET} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${_lib_TARGET} SYSTEM INTERFACE "${_include}")
    stest_found(${name} "${_origin}")
    stest_bundle("${_include}" ${_lib_BUNDLE})
  else()
    stest_missing("${name}, and ${_lib_URL} cannot be reached" ${_lib_PACKAGES})
  endif()
endmacro()
