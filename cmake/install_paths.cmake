# Executables go beside the environment's `python` when pip builds a wheel (scikit-build-core's scripts
# folder), else to the usual `bin`. stest, stestd and stest-worker look for each other in one folder.
if(SKBUILD)
  set(STEST_BIN_DIR "${SKBUILD_SCRIPTS_DIR}")
else()
  set(STEST_BIN_DIR "${CMAKE_INSTALL_BINDIR}")
endif()

# Keep the folder of a libpython outside the system's own (pyenv, conda) in the installed worker.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
