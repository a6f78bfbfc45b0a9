"""The C library's functions that look at a file, a clock, randomness or identity are seen."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from .conftest import WATCH, Worker

FILES = """
__fxstatat __fxstatat64 __lxstat __lxstat64 __open64_2 __open_2 __openat64_2 __openat_2 __readlink_chk
__readlinkat_chk __realpath_chk __xstat __xstat64 access canonicalize_file_name eaccess euidaccess
faccessat fdopendir fopen fopen64 freopen freopen64 fstatat fstatat64 ftw ftw64 fts_open getxattr glob
glob64 inotify_add_watch lgetxattr listxattr llistxattr lstat lstat64 name_to_handle_at nftw nftw64 open
open64 openat openat64 opendir pathconf readlink readlinkat realpath scandir scandir64 scandirat
scandirat64 stat stat64 statfs statfs64 statvfs statvfs64 statx syscall
"""
FRESH = """
__getcwd_chk arc4random arc4random_buf arc4random_uniform clock clock_gettime get_current_dir_name getcwd
getentropy getpid getppid getrandom getrusage gettimeofday sysinfo time times timespec_get
"""
# Not seen: what is the machine's and stays (uname, gethostname, getuid); what finds its files by calls of its
# own (setlocale, catopen, dlopen); a thread's number and the process's place (gettid, getpgrp, getsid).


NAMES = pytest.mark.parametrize("names", [FILES, FRESH], ids=["files", "fresh"])


def check(names: str) -> str:
    """Where the C library has it, another definition comes before."""
    return textwrap.dedent(f"""
        import ctypes
        ours, library = ctypes.CDLL(None), ctypes.CDLL("libc.so.6")
        def address(of, name):
            return ctypes.cast(getattr(of, name), ctypes.c_void_p).value if hasattr(of, name) else None
        def test():
            names = {names.split()}
            there = [name for name in names if address(library, name)]
            assert len(there) > len(names) * 0.7
            assert [name for name in there if address(ours, name) == address(library, name)] == []
    """)


@NAMES
def test_functions_that_are_seen(worker: Worker, names: str) -> None:
    worker.write("test_it.py", check(names))
    one = worker.run("-q")
    assert one.exit_code == 0, one.text


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer wants to be the first library")
@NAMES
def test_library_in_a_python_that_has_it_preloaded(names: str) -> None:
    """It needs nothing of the worker's."""
    command = [sys.executable, "-c", check(names) + "test(); print('seen')"]
    run = subprocess.run(command, env={"LD_PRELOAD": str(WATCH)}, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("seen\n", "")
