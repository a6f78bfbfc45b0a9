"""An allocator of the user's (jemalloc, tcmalloc), which looks at the clock in the middle of anything."""

from __future__ import annotations

import os
import subprocess

import pytest

from .harness import Project
from .modes import MODES
from .test_installed import COMPILER

ALLOCATOR = """
    #define _GNU_SOURCE
    #include <stdlib.h>
    #include <sys/random.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>

    extern void *__libc_malloc(size_t), *__libc_realloc(void *, size_t);

    static void look(void) {
      struct timespec now;
      struct timeval today;
      char byte;
      clock_gettime(CLOCK_REALTIME, &now);
      gettimeofday(&today, 0);
      getrandom(&byte, 1, 0);
      getpid();
    }
    void *malloc(size_t size) { look(); return __libc_malloc(size); }
    void *realloc(void *old, size_t size) {
      void *grown = __libc_realloc(old, size);
      look();  /* What had the old memory does not know the new. */
      return grown;
    }
"""


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="a sanitizer has its own allocator")
@pytest.mark.skipif(not COMPILER, reason="needs a C compiler")
@pytest.mark.parametrize("mode", MODES)
def test_what_an_allocator_asks_is_nobody_s_question(project: Project, mode: str) -> None:
    """Python would be run while a list is half enlarged."""
    source, built = project.home / "allocator.c", project.home / "allocator.so"
    source.write_text(ALLOCATOR)
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O1", str(source), "-o", str(built)], check=True)
    project.env.update(MODES[mode], LD_PRELOAD=str(built))
    project.write(
        "user.py",
        """
        import gc

        gc.set_threshold(1)  # Each object that the answer to a question makes has all others looked at.
        VALUE = []
        for n in range(10_000):
            VALUE.append([n])
        """,
    )
    project.write("test_it.py", "import user\ndef test(): assert len(user.VALUE) == 10_000\n")
    for _ in range(3):
        finished = project.stest("-q").expect(0)
    assert b"cold" not in finished.err
