"""Who is compared: how each is installed, used at its best by its own documentation, and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

STEST = "stest"  # As a requirement: the wheel of this tree.
PYTEST = "pytest==9.2.0"
XDIST = "pytest-xdist==3.8.0"


@dataclass(frozen=True)
class Rival:
    """Commands are run by no shell, with the programs of the rival's own virtual environment first.

    In them and in `env` stands `{args}` for pytest's arguments, `{tests}` for these without `-q`, `{state}`
    for a folder of the rival's own and `{port}` for a port.
    """

    name: str
    requirement: str
    run: str
    note: str
    env: Mapping[str, str] = field(default_factory=dict)
    daemon: bool = False
    serve: str = ""  # Starts the daemon ahead of the first run; nothing: that run does.
    stop: str = ""  # Nothing: it has no such command, and gets a SIGTERM.
    status: str = ""  # Asks the daemon for a sign of life.
    idle: str = ""  # Starts a daemon that is soon without a worker.
    events: str = ""  # Runs the tests and prints what stest's HTTP API says of the run.

    @property
    def environment(self) -> str:
        """The name of its virtual environment: the modes of one program share one."""
        return self.name.partition(" ")[0]


def _stest(name: str, note: str, **env: str) -> Rival:
    return Rival(
        name,
        STEST,
        "stest {args}",
        note,
        env,
        daemon=True,
        stop="stest stop",
        status="stest status",
        idle="env SPRINTEST_IDLE_TIMEOUT=2s stest start",
        events="stest run --events -- {args}",
    )


FAST_VERSION = "pytest-fast==0.16.0"
FAST = "pytest-fast --address {state}/fast.sock"
FAST_ENV = {"PYTEST_ADDOPTS": "{args}", "PYTEST_FAST_WATCH_DIRS": "."}
HOT_RELOADING = "pytest -p pytest_hot_reloading.plugin --daemon-port {port}"

PLAIN = Rival("pytest", PYTEST, "python -m pytest {args}", "plain pytest")
RIVALS = (
    PLAIN,
    _stest("stest", "no settings"),
    _stest("stest resident", "one process, run after run", SPRINTEST_ISOLATION="resident"),
    Rival(
        "sprintest",
        "sprintest==1.1.1",
        "sprintest {args}",
        "as in its README's quick start",
        daemon=True,
        stop="sprintest stop",
        status="sprintest status",
        idle="sprintest-daemon",
    ),
    Rival(
        "pytest-fast",
        FAST_VERSION,
        FAST + " --with-watcher",
        "its daemon and watcher; its client takes no tests",
        FAST_ENV,
        daemon=True,
    ),
    Rival(
        "pytest-fast persistent",
        FAST_VERSION,
        FAST,
        "one process, session fixtures too, until an edit; then an ordinary daemon",
        FAST_ENV,
        daemon=True,
        serve=FAST + " --serve --ttl 3600 --persist-workers",
    ),
    Rival(
        "pytest-hot-reloading",
        "pytest-hot-reloading==0.1.0a19",
        HOT_RELOADING + " --daemon-start-if-needed {args}",
        "its daemon, with events of the system, as its README advises",
        {"PYTEST_DAEMON_USE_OS_EVENTS": "1"},
        daemon=True,
        stop=HOT_RELOADING + " --stop-daemon",
    ),
    Rival(
        "pytest-zygote",
        "pytest-zygote==0.1.1",
        "pytest --workers auto {args}",
        "no daemon: each run imports, then forks its workers",
    ),
    Rival(
        "pytest-parallex",
        "pytest-parallex==0.2.5",
        "pytest --parallel=fork --parallex-no-session-scope {args}",
        "no daemon: each run collects, then forks its workers",
    ),
    Rival(
        "cito",
        "cito==0.3.0",
        "cito run --daemon {tests}",
        "its daemon, with warm workers",
        daemon=True,
        stop="cito daemon stop",
        status="cito daemon status",
    ),
    Rival("rstest", "rstest==0.9.0", "rstest {args}", "no daemon; a runner of its own"),
    Rival("pytest-xdist", XDIST, "pytest -n auto {args}", "no daemon"),
    Rival("pytest-xdist -n 2", XDIST, "pytest -n 2 {args}", "no daemon"),
    replace(
        _stest("stest-workers", "`-n 2`: pytest-xdist with warm workers"),
        requirement=f"{STEST} {XDIST}",
        run="stest -n 2 {args}",
    ),
)
