# Sets up what examples/run and tests/run need: Debian packages, a virtual environment with torch, stest in
# it. Sourced; every function may be repeated, also after it was interrupted: what is done is marked by a
# stamp that is written last.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
venv="${STEST_VENV:-$root/.venv}"
build="${STEST_BUILD:-$root/build}"
log="$build/setup.log"
wheels="$build/dist"
python=${PYTHON:-python3}

say() { printf '==> %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Runs a long command with its output in the log; shows the log's end if it fails.
logged() {
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    die "failed: $* (all of its output: $log)"
  fi
}

# Whether the step NAME was done with exactly this content; `stamp NAME CONTENT` says that it was.
done_with() { [ -f "$venv/stamps/$1" ] && [ "$(cat "$venv/stamps/$1")" = "$2" ]; }
stamp() { mkdir -p "$venv/stamps" && printf '%s\n' "$2" >"$venv/stamps/$1"; }

# ---- Debian packages

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

python_is_debians() { [ "$("$python" -c 'import sys; print(sys.base_prefix)')" = /usr ]; }

wanted_packages() {
  command -v "${CXX:-c++}" >/dev/null || echo g++
  echo nlohmann-json3-dev libexpected-dev libcli11-dev libtomlplusplus-dev libspdlog-dev libsqlite3-dev libgtest-dev
  if ! command -v "$python" >/dev/null; then
    echo python3 python3-venv python3-dev
  elif python_is_debians; then
    "$python" -c 'import sys; v = "python%d.%d" % sys.version_info[:2]; print(v + "-venv", v + "-dev")'
  fi
}

# Clang with libFuzzer, for tests/run; `wants_fuzzing=yes` asks for it.
can_fuzz() {
  command -v clang++ >/dev/null &&
    printf 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
    clang++ -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null
}

# Of the tests: `wants_tests=yes` asks for them; they confine programs as sandboxes do, and log in by ssh.
test_packages() {
  [ "${wants_tests:-no}" = no ] || echo libseccomp2 openssh-server openssh-client
  [ "${wants_fuzzing:-no}" = no ] || can_fuzz || echo clang libclang-rt-dev libclang-rt-14-dev
}

missing_packages() {
  local package
  for package in $(wanted_packages) $(test_packages); do installed "$package" || echo "$package"; done
}

# Those that this release of the distribution has; CMake downloads the libraries that it lacks.
known_packages() {
  local package
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then echo "$package"; fi
  done
}

ensure_packages() {
  if ! command -v apt-get >/dev/null; then
    say "not Debian or Ubuntu: the configure step names what is missing"
    return
  fi
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || die "packages are missing; run: sudo apt-get update && sudo apt-get install ${missing[*]}"
    as_root=(sudo -n)
  fi
  say "installing Debian packages: ${missing[*]}"
  logged "${as_root[@]}" apt-get update
  mapfile -t missing < <(known_packages "${missing[@]}")
  logged "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"
}

# ---- the virtual environment

python_identity() {
  "$python" -c 'import os, sys; print(os.path.realpath(sys.executable), sys.version.replace("\n", " "))'
}

ensure_venv() {
  local identity
  identity=$(python_identity)
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || die "$python is older than Python 3.9"
  done_with python "$identity" && return
  say "creating .venv with Python $("$python" -c 'import platform; print(platform.python_version())')"
  rm -rf "$venv" "$build/CMakeCache.txt" "$build/CMakeFiles"
  logged "$python" -m venv "$venv"
  logged "$venv/bin/python" -m pip install --upgrade pip
  stamp python "$identity"
}

# ensure_requirements FILE: installs what a requirements file lists, once.
ensure_requirements() {
  local file="$root/$1" name=${1//\//-} content
  content=$(cat "$root/examples/requirements.txt" "$file") # One may include the other.
  done_with "$name" "$content" && return
  say "installing $1 into .venv (torch is large: minutes)"
  logged "$venv/bin/python" -m pip install -r "$file"
  stamp "$name" "$content"
}

# ---- stest

source_files=(CMakeLists.txt pyproject.toml README.md LICENSE cmake include src worker python)

source_hash() {
  (
    cd "$root"
    find "${source_files[@]}" -type f ! -path '*/__pycache__/*' -print0 2>/dev/null |
      LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
  )
}

# Without pip's build isolation, so that `build` stays and only changed files are compiled.
ensure_stest() {
  local sources
  sources=$(source_hash)
  if done_with stest "$sources" && [ -x "$venv/bin/stest" ]; then return; fi
  say "building stest and installing it into .venv"
  logged "$venv/bin/python" -m pip install 'scikit-build-core>=0.10' 'pybind11>=3' cmake ninja
  rm -rf "$wheels"
  logged "$venv/bin/python" -m pip wheel --no-deps --no-build-isolation -C "build-dir=$build" -w "$wheels" "$root"
  logged "$venv/bin/python" -m pip install --force-reinstall --no-deps "$wheels"/sprintest-*.whl
  logged "$venv/bin/python" -m pip install "$wheels"/sprintest-*.whl # What it depends on.
  stamp stest "$sources"
}

# setup REQUIREMENTS: everything up to a working .venv/bin/stest, first on PATH.
setup() {
  mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || die "$build cannot be written by $(id -un)"
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  export PIP_DISABLE_PIP_VERSION_CHECK=1
  ensure_packages
  ensure_venv
  export PATH="$venv/bin:$PATH"
  ensure_requirements "$1"
  ensure_stest
}
