# Executables go beside the environment's `python` when pip builds a wheel (scikit-build-core's scripts
# folder), else to the usual `bin`. stest, stestd and stest-worker look for each other in one folder, and the
# worker for its library from there.
include(GNUInstallDirs)
if(SKBUILD)
  set(STEST_BIN_DIR "${SKBUILD_SCRIPTS_DIR}")
  set(STEST_LIB_DIR "${SKBUILD_DATA_DIR}/lib/stest")
  set(STEST_LIB_RPATH "$ORIGIN/../lib/stest")
else()
  set(STEST_BIN_DIR "${CMAKE_INSTALL_BINDIR}")
  set(STEST_LIB_DIR "${CMAKE_INSTALL_LIBDIR}/stest")
  file(RELATIVE_PATH STEST_LIB_RPATH "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}/stest")
  string(PREPEND STEST_LIB_RPATH "$ORIGIN/")
endif()

# Keep the folder of a libpython outside the system's own (pyenv, conda) in the installed worker.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
