"""Runs a program under a seccomp filter: `python confine.py RULE… -- PROGRAM ARG…`.

A rule is `CALL=ERRNO` or `CALL=KILL`; `CALL:unix=…` is for AF_UNIX as the first argument only. Exits with 99
where no filter can be made.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

NO_FILTER = 99
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EQUAL = 4


class Comparison(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


def load_filter(rules: list[str]) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ALLOW)))
    for rule in rules:
        call, _, what = rule.partition("=")
        name, _, family = call.partition(":")
        action = KILL_PROCESS if what == "KILL" else ERRNO | getattr(errno, what)
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        compared = (Comparison * 1)(Comparison(0, EQUAL, socket.AF_UNIX, 0))
        count = 1 if family else 0
        if seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, count, compared) != 0:
            raise OSError(f"no rule {rule}")
    if seccomp.seccomp_load(context) != 0:
        raise OSError("the filter was not loaded")


def main() -> None:
    end = sys.argv.index("--")
    try:
        load_filter(sys.argv[1:end])
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        sys.exit(NO_FILTER)
    os.execv(sys.argv[end + 1], sys.argv[end + 1 :])


if __name__ == "__main__":
    main()
