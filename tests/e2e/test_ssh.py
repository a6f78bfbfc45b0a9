"""Warm workers of pytest-xdist on other machines, by ssh: a real sshd on loopback, with keys made for it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import MARKER, STEST, Project, wait_for

pytest.importorskip("xdist")

SSHD = shutil.which("sshd", path=f"/usr/sbin:/usr/local/sbin:{os.defpath}")
pytestmark = pytest.mark.skipif(not SSHD or not shutil.which("ssh"), reason="OpenSSH is not installed")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def far(project: Project) -> Iterator[dict[str, str]]:
    """The variables there. The configuration for `ssh far` is in the project's home."""
    home, port = project.home, free_port()
    for key in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / key], check=True)
    env = {"SPRINTEST_DIR": str(home / "far"), MARKER: project.env[MARKER]}
    env |= {name: value for name, value in project.env.items() if name.startswith("SPRINTEST_")}
    variables = " ".join(f'"{name}={value}"' for name, value in env.items())
    (home / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/client.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nSetEnv {variables}\n"
    )
    (home / "ssh_config").write_text(
        f"Host far\nHostName 127.0.0.1\nPort {port}\nUser {getpass.getuser()}\nIdentityFile {home}/client\n"
        "IdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # OpenSSH wants it for root.
    with (home / "sshd.log").open("wb") as log:
        server = subprocess.Popen([str(SSHD), "-D", "-e", "-f", home / "sshd_config"], stderr=log)
    try:
        wait_for(lambda: answers(port), f"sshd: {(home / 'sshd.log').read_text()}")
        yield env
        project.stest("stop", cwd=str(Path.home()), env=env).expect(0)
    finally:
        server.terminate()
        server.wait()


def test_worker_on_another_machine_is_warm(project: Project, far: dict[str, str]) -> None:
    text = """
        import os, pytest

        @pytest.mark.parametrize("number", range(4))
        def test_number(number):
            program = os.path.basename(os.readlink("/proc/self/exe"))
            print((program, os.path.basename(os.getcwd())))
    """
    project.write("suite/test_it.py", text)
    there = project.home / "there"
    spec = f"ssh=far//ssh_config={project.home}/ssh_config//python={STEST} python//chdir={there}"
    args = ("--tx", spec, "--dist=load", "--rsyncdir=suite", str(project.root / "suite"))
    first = project.stest("-rP", *args).expect(0).text
    assert first.count("('stest-worker', 'there')") == 4
    # xdist sends pytest itself there: what is loaded is another copy of it, and no run may mix the two.
    for _ in range(3):
        assert "4 passed" in project.stest(*args).expect(0).text
