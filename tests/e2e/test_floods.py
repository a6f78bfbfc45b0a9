"""Output without measure: every byte arrives, the daemon stays small, and others are served meanwhile."""

from __future__ import annotations

import hashlib
import os
import resource

import pytest

from . import processes
from .harness import Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS

MIB = 1 << 20
# What the daemon may grow by. Before the first test it holds back 16 MiB at most in some modes.
GROWTH = 64 * MIB

WRITE_ALL = """
    import os

    def write_all(data):
        left = memoryview(data)
        while left:
            left = left[os.write(1, left):]
    """


@pytest.fixture
def flooding(project: Project) -> Project:
    project.write("writing.py", WRITE_ALL)
    project.write("test_fine.py", "def test(): pass")
    project.stest("test_fine.py").expect(0)
    return project


def memory(project: Project, field: str) -> int:
    """VmRSS or VmHWM of the daemon, in bytes."""
    (daemon,) = project.daemons()
    return processes.memory(daemon, field)


@pytest.mark.long
def test_a_gigabyte(flooding: Project) -> None:
    flooding.write(
        "test_it.py",
        """
        from writing import write_all

        def test():
            write_all(b"BEGIN")
            for number in range(1024):
                write_all(bytes([number % 256, 255 - number % 256]) * (1 << 19))
        """,
    )
    expected = hashlib.sha256()
    for number in range(1024):
        expected.update(bytes([number % 256, 255 - number % 256]) * (1 << 19))
    before = memory(flooding, "VmRSS")
    client = flooding.start("-s", "-q", "test_it.py")
    assert client.stdout
    head = b""
    while b"BEGIN" not in head:
        piece = client.stdout.read1(MIB)  # type: ignore[attr-defined]
        assert piece, flooding.finish(client)
        head += piece
    data = head.partition(b"BEGIN")[2]
    digest, size = hashlib.sha256(data), len(data)
    while size < 1024 * MIB:
        data = client.stdout.read1(MIB)  # type: ignore[attr-defined]
        assert data, flooding.finish(client)
        digest.update(data[: 1024 * MIB - size])
        size += len(data)
    assert digest.digest() == expected.digest()
    flooding.finish(client).expect(0)
    assert memory(flooding, "VmHWM") - before < GROWTH


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_a_line_of_100_megabytes(flooding: Project, mode: str) -> None:
    flooding.write(
        "test_it.py",
        "from writing import write_all\ndef test(): write_all(b'<' + b'z' * 100_000_000 + b'>\\n')",
    )
    out = flooding.stest("-s", "-q", "test_it.py", env=MODES[mode]).expect(0).out
    assert b"<" + b"z" * 100_000_000 + b">\n" in out
    assert memory(flooding, "VmHWM") < 300 * MIB


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stream", ["out", "err"])
def test_nul_bytes_and_invalid_utf8(flooding: Project, mode: str, stream: str) -> None:
    data = b"\0\0a\xff\xfe\xc3(\xed\xa0\x80\xf5\x80\0" + bytes(range(256)) + b"\xe2\x82"
    number = 1 if stream == "out" else 2
    flooding.write("test_it.py", f"import os\ndef test(): os.write({number}, b'<<' + {data!r} + b'>>')")
    finished = flooding.stest("-s", "-q", "test_it.py", env=MODES[mode]).expect(0)
    assert b"<<" + data + b">>" in (finished.out if stream == "out" else finished.err)


def test_nul_bytes_and_invalid_utf8_in_a_report(flooding: Project) -> None:
    """Through pytest's own capture, as plain pytest shows them."""
    flooding.write("test_it.py", "import os\ndef test():\n    os.write(1, b'x\\0y\\xffz'); assert 0")
    plain = flooding.plain("-q", "test_it.py").expect(1)
    warm = flooding.stest("-q", "test_it.py").expect(1)
    assert [line for line in plain.out.splitlines() if b"y" in line and b"x" in line and b"z" in line] == [
        line for line in warm.out.splitlines() if b"y" in line and b"x" in line and b"z" in line
    ]


def test_a_client_that_does_not_read_holds_the_tests_back(flooding: Project) -> None:
    """Nothing piles up in the daemon, which goes on serving others; then all of it arrives."""
    flooding.write(
        "test_it.py",
        """
        from writing import write_all

        def test():
            for number in range(4096):
                write_all(b"x" * (16 << 10))
                open("written", "w").write(f"{number}\\n")
        """,
    )
    before = memory(flooding, "VmRSS")
    client = flooding.start("-s", "-q", "test_it.py")
    flooding.await_file("written")
    seen: list[str] = []

    def stands_still() -> bool:
        seen.append(flooding.read("written"))
        return len(seen) > 100 and len(set(seen[-100:])) == 1

    wait_for(stands_still, "the tests to be held back")
    assert int(flooding.read("written")) < 1024  # 16 MiB
    assert flooding.status()["state"] == "running"
    assert memory(flooding, "VmHWM") - before < GROWTH
    finished = flooding.finish(client).expect(0)
    assert finished.out.count(b"x") >= 64 * MIB


def test_a_pipeline_whose_reader_sleeps_and_leaves(flooding: Project) -> None:
    """`stest | (sleep; head)`: the run ends, nothing is left, and the next run is right."""
    flooding.write(
        "test_it.py",
        """
        import os
        from writing import write_all

        def test():
            open("started", "w").write("yes\\n")
            while True:
                write_all(b"line\\n" * 10_000)
        """,
    )
    script = "stest -s -q test_it.py | (while ! [ -e started ]; do sleep 0.1; done; sleep 1; head -n 1)"
    finished = flooding.finish(flooding.start("-c", script, program=("/bin/sh",)))
    assert finished.out.count(b"\n") == 1
    wait_for(lambda: not flooding.status()["runs"], "the end of the run")
    flooding.stest("test_fine.py").expect(0)


def test_a_file_that_is_full_is_told(flooding: Project) -> None:
    """stdout is a file, and its file system (here: the process's limit) takes no more."""
    flooding.write("test_it.py", "from writing import write_all\ndef test(): write_all(b'x' * 10_000_000)")
    with open(flooding.home / "out", "wb") as out:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        script = "ulimit -f 100; trap '' XFSZ; exec stest -s -q test_it.py"
        client = flooding.start("-c", f"{script} > {out.name}", program=("/bin/sh",))
        finished = flooding.finish(client)
    assert hard is not None
    assert finished.code != 0
    assert "File too large" in finished.errors
    assert os.path.getsize(flooding.home / "out") <= 100 * 1024


def test_one_answer_keeps_the_beginning_and_the_end(flooding: Project) -> None:
    flooding.write(
        "test_it.py",
        """
        from writing import write_all

        def test():
            for number in range(400):
                write_all(b"x" * (1 << 20))
        """,
    )
    before = memory(flooding, "VmRSS")
    answer = flooding.api.post("/v1/test/run", flooding.request("-s", "test_it.py")).json()
    assert answer["exit_code"] == 0
    assert "test session starts" in answer["stdout"][:200]
    assert "1 passed" in answer["stdout"][-200:]
    assert len(answer["stdout"]) < 2 * MIB + 100
    assert 398 * MIB <= answer["dropped"]["stdout"] < 399 * MIB
    assert f"{answer['dropped']['stdout']} bytes are left out here" in answer["stdout"]
    assert memory(flooding, "VmHWM") - before < GROWTH
