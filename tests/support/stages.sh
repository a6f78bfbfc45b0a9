# Stages that run side by side. Sourced by tests/run, after setup.sh.

started=() # "PID NAME COMMAND" of each stage that runs; its output goes to build/NAME.log.
failed=()

# beside COMMAND…: starts it; what it prints is shown when it is `joined`.
beside() {
  local name="stage-${#started[@]}-$1"
  (
    trap - EXIT
    log="$build/$name.setup.log" # `logged` has one for each.
    "$@"
  ) >"$build/$name.log" 2>&1 &
  started+=("$! $name $*")
}

# Waits for all stages, shows what each printed, and ends with an error where one, or what came between, failed.
joined() {
  local stage pid name command
  for stage in "${started[@]}"; do
    read -r pid name command <<<"$stage"
    wait "$pid" || failed+=("$command")
    say "$command"
    cat "$build/$name.log"
    rm -f "$build/$name".{log,setup.log}
  done
  started=()
  [ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
}

# No stage goes on when this script has been ended.
trap 'for stage in "${started[@]}"; do kill "${stage%% *}" 2>/dev/null || true; done' EXIT
