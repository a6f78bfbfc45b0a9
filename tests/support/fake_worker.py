#!/usr/bin/env python3
"""Stands in for stest-worker in the daemon's unit tests: speaks the protocol, runs no pytest.

The arguments of a run are its script, executed in order in a forked process:

    out:TEXT err:TEXT hex:BYTES flood:COUNT   write to stdout (err: stderr)
    event:JSON                                write a line to the event pipe
    phase:NAME node:ID                        what the worker will report, should the run end now
    sleep:SECONDS interruptible:CODE          the latter ends with CODE, as pytest does at Ctrl-C
    ignore:SIGNAL signal:SIGNAL exit:CODE
    leave:SECONDS                             leave a process behind that holds stdout
    cwd: variable:NAME                        write it to stdout
    kill_worker:
    settled: start_over:REASON                as a runner does before the first test, or in its place. A clean
                                              run with neither settles at once
    cold:REASON                               as a runner does that only a cold run can replace
    first:STEP                                only in the run's first process
    await:FILE                                wait until there is such a file
    tell:                                     write the file "told" into the run's folder
    waits:STEP                                tell so likewise, and go on with STEP at Ctrl-C
    mode: memory_limit:                       what the run was asked for, on stdout

Variables of the worker script the rest; see `Worker`.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any

PHASES = ("forked", "running", "session_finished", "returned", "starts_over", "needs_cold")
NODE_SIZE = 1000


class Record:
    """What a run tells of itself, in memory that survives its death."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 + NODE_SIZE)

    @property
    def phase(self) -> str:
        return PHASES[self._memory[0]]

    @phase.setter
    def phase(self, name: str) -> None:
        self._memory[0] = PHASES.index(name)

    @property
    def node(self) -> str:
        return self._memory[1:].rstrip(b"\0").decode()

    @node.setter
    def node(self, name: str) -> None:
        self._memory[1:] = name.encode().ljust(NODE_SIZE, b"\0")


class Run:
    """The tests' process."""

    def __init__(self, record: Record, events: int, message: dict[str, Any], is_first: bool) -> None:
        self._record = record
        self._events = events
        self._message = message
        self._is_first = is_first
        self._worker = os.getppid()

    def execute(self) -> None:
        if self._message["mode"] == "fork" and not self._settles_itself():
            self.do_settled("")
        for step in self._message["args"]:
            self._do(step)
        self._record.phase = "returned"
        os._exit(0)

    def _settles_itself(self) -> bool:
        return any(
            verb in step for step in self._message["args"] for verb in ("settled", "start_over", "cold:")
        )

    def _do(self, step: str) -> None:
        verb, _, argument = step.partition(":")
        getattr(self, f"do_{verb}")(argument)

    def do_out(self, text: str) -> None:
        os.write(1, text.encode())

    def do_err(self, text: str) -> None:
        os.write(2, text.encode())

    def do_hex(self, digits: str) -> None:
        os.write(1, bytes.fromhex(digits))

    def do_flood(self, count: str) -> None:
        left = int(count)
        while left > 0:
            left -= os.write(1, b"x" * min(left, 65536))

    def do_event(self, line: str) -> None:
        os.write(self._events, line.encode() + b"\n")

    def do_phase(self, name: str) -> None:
        self._record.phase = name

    def do_node(self, name: str) -> None:
        self._record.node = name

    def do_sleep(self, seconds: str) -> None:
        time.sleep(float(seconds))

    def do_interruptible(self, code: str) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            os.write(1, b"waiting\n")
            time.sleep(60)
        except KeyboardInterrupt:
            self._record.phase = "returned"
            os._exit(int(code))

    def do_ignore(self, number: str) -> None:
        signal.signal(int(number), signal.SIG_IGN)

    def do_signal(self, number: str) -> None:
        os.kill(os.getpid(), int(number))

    def do_exit(self, code: str) -> None:
        os._exit(int(code))

    def do_leave(self, seconds: str) -> None:
        subprocess.Popen(["sleep", seconds], start_new_session=True)

    def do_cwd(self, _: str) -> None:
        self.do_out(os.getcwd())

    def do_variable(self, name: str) -> None:
        self.do_out(os.environ.get(name, "unset"))

    def do_kill_worker(self, _: str) -> None:
        os.kill(self._worker, signal.SIGKILL)
        time.sleep(60)

    def do_settled(self, _: str) -> None:
        self.do_event('{"event": "settled"}')

    def do_start_over(self, reason: str) -> None:
        self.do_node(reason)
        self.do_phase("starts_over")
        os._exit(0)

    def do_cold(self, reason: str) -> None:
        self.do_node(reason)
        self.do_phase("needs_cold")
        os._exit(0)

    def do_first(self, step: str) -> None:
        if self._is_first:
            self._do(step)

    def do_await(self, file: str) -> None:
        while not os.path.exists(file):
            time.sleep(0.005)

    def do_tell(self, _: str) -> None:
        with open("told", "w"):
            pass

    def do_waits(self, step: str) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.do_tell("")
            time.sleep(60)
        except KeyboardInterrupt:
            self._do(step)

    def do_mode(self, _: str) -> None:
        self.do_out(self._message["mode"])

    def do_memory_limit(self, _: str) -> None:
        self.do_out(str(self._message["memory_limit"]))


class Worker:
    """FAKE_DIE: exit at once. FAKE_PROTOCOL: its version. FAKE_DEAF: ignore the shutdown.
    FAKE_SLOW: seconds per import. FAKE_FATAL, FAKE_NOT_PRELOADABLE: a module that kills it, or
    is not preloadable.
    FAKE_UNABLE: a file with the reason why it cannot serve, as long as it exists.
    FAKE_READS: variables read while importing. FAKE_SITE, FAKE_FILE: a site folder, a module's file.
    FAKE_IGNORED: that module is never unloaded. FAKE_LEFT: the pid of a process that each run has left
    behind. FAKE_LOG: a file for the options and for each message
    that is not about a run, one line each.
    """

    def __init__(self, channel: socket.socket, options: argparse.Namespace) -> None:
        self._channel = channel
        self._python = options.python
        self._target = options.target
        self._preloaded: list[str] = []
        self._seen: set[int] = set()
        self._runs: dict[int, tuple[int, Record]] = {}
        self._stacks: dict[int, int] = {}
        self._fds: list[int] = []
        self._buffer = b""
        self._log(
            {
                "type": "options",
                "ignore": options.ignore,
                "target_path": options.target_path,
                "target": options.target,
            }
        )

    def serve(self) -> None:
        if "FAKE_DIE" in os.environ:
            sys.exit("the fake worker dies as told")
        if os.path.exists(unable := os.environ.get("FAKE_UNABLE", "")):
            with open(unable) as file:
                self._send("unable", reason=file.read(), site_dirs=[os.environ["FAKE_SITE"]])
            sys.exit(1)
        wake_read, wake_write = os.pipe()
        for fd in (wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._ready()
        while True:
            readable, _, _ = select.select([self._channel, wake_read], [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                self._reap()
            if self._channel in readable and not self._read():
                return

    @staticmethod
    def _log(message: dict[str, Any]) -> None:
        if "FAKE_LOG" in os.environ:
            with open(os.environ["FAKE_LOG"], "a") as file:
                file.write(json.dumps(message) + "\n")

    def _send(self, kind: str, **fields: object) -> None:
        self._channel.sendall(json.dumps({"type": kind, **fields}).encode() + b"\n")

    def _read(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._channel, 65536, 8)
        self._fds += fds
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            getattr(self, f"_on_{message['type']}")(message)
        return bool(data)

    def _ready(self) -> None:
        env = os.environ
        reads = env.get("FAKE_READS", "")
        files = []
        if "FAKE_FILE" in env:
            state = os.stat(env["FAKE_FILE"])
            files = [
                {
                    "module": "fake",
                    "path": env["FAKE_FILE"],
                    "mtime_ns": state.st_mtime_ns,
                    "ctime_ns": state.st_ctime_ns,
                    "size": state.st_size,
                    "inode": state.st_ino,
                    "ignored": "FAKE_IGNORED" in env,
                }
            ]
        self._send(
            "ready",
            protocol=int(env.get("FAKE_PROTOCOL", "17")),
            stest_version="0",
            python="3",
            executable=self._python,
            preloaded=[{"name": name, "seconds": 0.5} for name in self._preloaded],
            not_preloaded=[],
            site_dirs=[env["FAKE_SITE"]] if "FAKE_SITE" in env else [],
            files=files,
            env_reads={name: env.get(name) for name in reads.split(",") if name},
            env_readers={name: "library" for name in reads.split(",") if name},
            target={"name": self._target, "path": "", "how": "configured"} if self._target else None,
        )

    def _on_preload(self, message: dict[str, Any]) -> None:
        self._log(message)
        for module in message["modules"]:
            self._send("importing", module=module, is_trial=False)
            if module == os.environ.get("FAKE_ENDLESS"):
                time.sleep(600)
            time.sleep(float(os.environ.get("FAKE_SLOW", "0")))
            if module == os.environ.get("FAKE_FATAL"):
                os.kill(os.getpid(), signal.SIGSEGV)
            if module == os.environ.get("FAKE_NOT_PRELOADABLE"):
                self._send("not_preloadable", module=module, reason="it starts threads", ends_worker=True)
                sys.exit(0)
            self._preloaded.append(module)
        self._ready()

    def _on_expect_run(self, message: dict[str, Any]) -> None:
        fds, self._fds = self._fds[:4], self._fds[4:]
        for fd in fds:
            os.close(fd)

    def _on_prime(self, message: dict[str, Any]) -> None:
        """Nothing is forked ahead here."""

    def _on_shrink(self, message: dict[str, Any]) -> None:
        self._log(message)

    def _on_run_test(self, message: dict[str, Any]) -> None:
        fds, self._fds = self._fds[:5], self._fds[5:]
        run = message["id"]
        self._stacks[run] = fds.pop()
        if message["args"] == ["refuse:"]:
            self._send_done(run, Record(), error="no more processes")
        else:
            self._fork(run, message, fds)
        for fd in fds:
            os.close(fd)

    def _fork(self, run: int, message: dict[str, Any], fds: list[int]) -> None:
        record, is_first = Record(), run not in self._seen
        self._seen.add(run)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._channel.close()
            os.setpgid(0, 0)
            for target, fd in enumerate(fds[:3]):
                os.dup2(fd, target)
            os.environ.clear()
            os.environ.update(message["env"])
            os.chdir(message["cwd"])
            Run(record, fds[3], message, is_first).execute()
        self._runs[pid] = (run, record)
        self._send("started", id=run, pid=pid)

    def _on_signal(self, message: dict[str, int]) -> None:
        for pid, (run, _) in self._runs.items():
            if run == message["id"]:
                # The child may not have made its group yet.
                os.kill(pid, message["signal"])

    def _on_dump_stack(self, message: dict[str, int]) -> None:
        os.write(self._stacks[message["id"]], b"a stack\0")

    def _on_ping(self, message: dict[str, int]) -> None:
        self._send("pong", id=message["id"])

    def _on_shutdown(self, _: dict[str, Any]) -> None:
        if "FAKE_DEAF" not in os.environ:
            sys.exit(0)

    def _reap(self) -> None:
        for pid, (run, record) in list(self._runs.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._runs[pid]
                code = os.waitstatus_to_exitcode(status)
                self._send_done(run, record, None if code < 0 else code, -code if code < 0 else None)

    def _send_done(
        self, run: int, record: Record, code: int | None = None, number: int | None = None, error: str = ""
    ) -> None:
        self._send(
            "done",
            id=run,
            phase=record.phase,
            exit_code=code,
            signal=number,
            nodeid=record.node,
            error=error,
            left=self._left(),
        )
        os.close(self._stacks.pop(run))

    @staticmethod
    def _left() -> list[dict[str, Any]]:
        pid = int(os.environ.get("FAKE_LEFT", "0"))
        if not pid:
            return []
        with open(f"/proc/{pid}/stat") as stat:
            start_time = int(stat.read().rpartition(") ")[2].split()[19])
        return [{"pid": pid, "start_time": start_time, "command": "a daemon"}]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--target-path", default="")
    parser.add_argument("--target", default="")
    parser.add_argument("--package", default="")
    parser.add_argument("--ignore", action="append", default=[])
    options = parser.parse_args()
    Worker(socket.socket(fileno=options.channel_fd), options).serve()


main()
