"""`isolation = "resident"`: one process runs all runs, and each still answers as a fresh one does."""

from __future__ import annotations

import signal

import pytest

from .harness import WAITING_TEST, Finished, Project, wait_for
from .processes import identify
from .warmth import settle

PID = "import os\ndef test(): open('pid', 'w').write(str(os.getpid()))\n"


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(sprintest="isolation = 'resident'")
    return project


def notice(project: Project) -> str:
    return "\n".join(project.status()["last_result"]["notice"])


def test_one_process_serves_all_runs(project: Project) -> None:
    project.write("test_it.py", PID)
    settle(project)
    pids = set()
    for _ in range(5):
        project.stest().expect(0)
        pids.add(project.read("pid"))
    assert len(pids) == 1


def test_modules_keep_their_identity_but_those_that_changed(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1\n")
    project.write("middle.py", "import leaf\n")
    project.write("other.py", "")
    project.write(
        "test_it.py",
        """
        import leaf, middle, other

        def test():
            with open("seen", "a") as file:
                print(leaf.VALUE, id(leaf), id(middle), id(other), file=file)
        """,
    )
    settle(project)
    project.write("leaf.py", "VALUE = 2\n")
    project.stest().expect(0)
    before, after = (line.split() for line in project.read("seen").splitlines()[-2:])
    assert (before[0], after[0]) == ("1", "2")
    assert before[1] != after[1]
    assert before[2] != after[2]
    assert before[3] == after[3]
    assert notice(project) == "reloaded leaf (+1 dependent)"


def test_package_attributes_of_an_earlier_run_are_gone(project: Project) -> None:
    project.write("package/__init__.py", "")
    project.write("package/part.py", "")
    project.write("test_it.py", "def test(): import package.part\n")
    project.write("test_other.py", "import package\ndef test(): assert not hasattr(package, 'part')\n")
    settle(project, "test_it.py")
    for name, code in [("test_it.py", 0), ("test_other.py", 0), ("test_it.py", 0)]:
        project.stest(name).expect(code)


def test_state_that_a_run_changes_is_restored(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import builtins, decimal, gc, locale, logging, os, random, signal, socket, sys, tempfile
        import threading, warnings

        def state():
            return {
                "cwd": os.getcwd(), "environ": sorted(os.environ), "path": list(sys.path),
                "argv": list(sys.argv), "umask": os.umask(0o22),
                "signal": str(signal.getsignal(signal.SIGUSR1)),
                "alarm": signal.getitimer(signal.ITIMER_REAL), "filters": len(warnings.filters),
                "root": (logging.root.level, len(logging.root.handlers), logging.root.manager.disable),
                "logger": logging.getLogger("json").level, "limit": sys.getrecursionlimit(),
                "trace": sys.gettrace(), "hook": sys.excepthook.__module__, "meta": len(sys.meta_path),
                "gc": (gc.isenabled(), gc.get_threshold()), "timeout": socket.getdefaulttimeout(),
                "precision": decimal.getcontext().prec, "tempdir": tempfile.tempdir,
                "locale": locale.setlocale(locale.LC_ALL), "made up": "made_up" in sys.modules,
                "json": type(sys.modules.get("json")).__name__,
                "sigmask": sorted(signal.pthread_sigmask(0, [])),
                "open": builtins.open.__module__,
                "thread hook": getattr(threading.excepthook, "__module__", "partial"),
            }

        def test():
            import json
            with open("seen", "a") as file:
                print(state(), file=file)
            assert random.random() not in map(float, open("numbers").read().split())
            with open("numbers", "a") as file:
                random.seed()
                print(random.random(), file=file)
            os.environ["LEFT"] = "1"
            sys.path.append("/left")
            sys.argv.append("left")
            os.umask(0o77)
            signal.signal(signal.SIGUSR1, lambda *_: None)
            signal.setitimer(signal.ITIMER_REAL, 1000)
            warnings.simplefilter("ignore")
            logging.basicConfig(level=1)
            logging.disable(50)
            logging.getLogger("json").setLevel(1)
            sys.setrecursionlimit(777)
            sys.excepthook = print
            sys.meta_path.append(object())
            gc.disable()
            gc.set_threshold(1)
            socket.setdefaulttimeout(1)
            decimal.getcontext().prec = 3
            tempfile.tempdir = "/left"
            locale.setlocale(locale.LC_ALL, "C")
            sys.modules["made_up"] = sys
            sys.modules["json"] = 7
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
            threading.excepthook = print
            random.seed(1)
            os.chdir("/")
        """,
    )
    project.write("numbers", "")
    settle(project, "-p", "no:cacheprovider")
    for _ in range(2):
        project.stest("-p", "no:cacheprovider").expect(0)
    project.plain("-p", "no:cacheprovider").expect(0)
    *warm, plain = map(eval, project.read("seen").splitlines())
    for state in warm:
        assert {key: (state[key], plain[key]) for key in plain if state[key] != plain[key]} == {}


@pytest.mark.long
@pytest.mark.torch
def test_state_of_torch_is_restored(project: Project) -> None:
    project.configure(sprintest="isolation = 'resident'\npreload = ['torch']")
    project.write(
        "test_it.py",
        """
        import torch

        def test():
            with open("seen", "a") as file:
                print(torch.get_default_dtype(), torch.zeros(1).device, torch.is_grad_enabled(),
                      torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(),
                      torch.get_float32_matmul_precision(), torch.backends.cuda.matmul.allow_tf32,
                      torch.tensor(1 / 3), file=file)
            with open("seeds", "a") as file:
                print(torch.rand(1).item(), file=file)
            torch.set_default_dtype(torch.float64)
            torch.set_default_device("meta")
            torch.set_grad_enabled(False)
            torch.set_num_threads(1)
            torch.use_deterministic_algorithms(True)
            torch.set_float32_matmul_precision("medium")
            torch.set_printoptions(precision=2)
            torch.manual_seed(0)
        """,
    )
    settle(project)
    project.stest().expect(0)
    project.plain().expect(0)
    seen = project.read("seen").splitlines()
    assert set(seen) == {seen[-1]}
    seeds = project.read("seeds").splitlines()
    assert len(set(seeds)) == len(seeds)


@pytest.mark.long
@pytest.mark.torch
def test_precision_of_torch_is_restored(project: Project) -> None:
    project.configure(sprintest="isolation = 'resident'\npreload = ['torch']")
    project.write(
        "test_it.py",
        """
        import os, torch

        def test():
            with open("seen", "a") as file:
                print(torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32,
                      torch.backends.cuda.matmul.allow_tf32, torch.backends.mkldnn.conv.fp32_precision,
                      torch.backends.cudnn.rnn.fp32_precision, os.getpid(), file=file)
            exec(open("change").read())
        """,
    )
    project.write("change", "pass")
    settle(project)
    for change in (
        "torch.backends.fp32_precision = 'tf32'",
        "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
        "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
        "torch.backends.cudnn.allow_tf32 = False",
        "pass",
    ):
        project.write("change", change)
        project.stest().expect(0)
    *_, process = project.read("seen").split()
    project.plain().expect(0)
    seen = [line.rpartition(" ") for line in project.read("seen").splitlines()]
    assert len({settings for settings, _, _ in seen}) == 1
    assert [pid for _, _, pid in seen].count(process) >= 5


def test_crash_costs_one_run(project: Project) -> None:
    project.write("test_it.py", PID)
    project.write("test_crash.py", "import os\ndef test(): os.kill(os.getpid(), 11)\n")
    project.write("test_exit.py", "import os\ndef test(): os._exit(0)\n")
    project.write("test_closes.py", "import os\ndef test(): os.closerange(100, 5000)\n")
    project.stest("test_it.py").expect(0)
    worker = project.status()["worker"]["pid"]
    for name, code in [("test_crash.py", 105), ("test_exit.py", 105), ("test_closes.py", 0)]:
        project.stest(name).expect(code)
        project.stest("test_it.py").expect(0)
    assert project.status()["worker"]["pid"] == worker


def test_failures_and_other_exit_codes(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.write("test_fails.py", "def test(): assert 0\n")
    project.write("test_broken.py", "import nothing_like_this\n")
    settle_code = [("test_it.py", 0), ("test_fails.py", 1), ("test_broken.py", 2), ("nowhere.py", 4)]
    for _ in range(2):
        for name, code in settle_code:
            project.stest(name).expect(code)
    project.stest("test_it.py", "-k", "nothing").expect(5)


def test_import_error_half_way_then_repaired(project: Project) -> None:
    project.write("leaf.py", "import half\nVALUE = 1\n")
    project.write("half.py", "import leaf\n")
    project.write("test_it.py", "import leaf\ndef test(): assert leaf.VALUE == 1\n")
    settle(project)
    for text, code in [("1 / 0", 2), ("VALUE = (", 2), ("import half\nVALUE = 2", 1), ("VALUE = 1", 0)]:
        project.write("leaf.py", f"{text}\n")
        project.stest().expect(code)
        project.stest().expect(code)


def test_registry_that_refuses_twice_starts_clean(project: Project) -> None:
    project.install(
        "registry.py",
        """
        import types
        held = types.SimpleNamespace(names=set())

        def register(name):
            if name in held.names:
                raise ValueError(f"{name} is registered")
            held.names.add(name)
        """,
    )
    project.configure(sprintest="isolation = 'resident'\npreload = ['registry']")
    project.write("model.py", "import registry\nregistry.register('model')\nVALUE = 1\n")
    project.write("test_it.py", "import model\ndef test(): open('seen', 'w').write(str(model.VALUE))\n")
    settle(project)
    worker = project.status()["worker"]["pid"]
    for value in (2, 3):
        project.write("model.py", f"import registry\nregistry.register('model')\nVALUE = {value}\n")
        run = project.stest().expect(0)
        assert project.read("seen") == str(value)
        assert "started a clean process: model cannot be loaded a second time" in run.errors
        assert run.text.count("test session starts") == 1
    assert project.status()["worker"]["pid"] == worker


def test_output_is_not_held_back_for_long(project: Project) -> None:
    """While something that was edited may yet fail to be executed a second time, the run may start over."""
    project.install("registry.py", "import types\nheld = types.SimpleNamespace(names=set())\n")
    project.configure(sprintest="isolation = 'resident'\npreload = ['registry']")
    project.write("once.py", "from registry import held\nassert not held.names\nheld.names.add('once')\n")
    project.write(
        "test_it.py",
        """
        import os, time

        def test():
            print("<runs>", flush=True)
            while not os.path.exists("go"):
                time.sleep(0.01)
            import once
        """,
    )
    project.write("go", "")
    settle(project)
    with open(project.root / "once.py", "a") as module:
        module.write("# edited\n")
    (project.root / "go").unlink()
    client = project.start("-s", "-q")
    shown = project.read_until(client, b"<runs>")
    project.write("go", "")
    run = project.finish(client).expect(0)
    assert (shown + run.out).count(b"<runs>") == 1, "the clean process prints it again"
    assert "started a clean process: once cannot be loaded a second time" in run.errors


def test_functions_registered_at_exit_run_with_their_run(project: Project) -> None:
    project.write(
        "test_it.py",
        "import atexit, os\ndef test(): atexit.register(os.write, 1, b'at the exit')\n",
    )
    settle(project)
    for _ in range(2):
        assert project.stest().expect(0).text.count("at the exit") == 1


def test_threads_and_processes_that_are_left(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, subprocess, threading, time

        def test():
            open("pid", "w").write(str(os.getpid()))
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
            child = subprocess.Popen(["sleep", "1000"])
            open("child", "w").write(str(child.pid))
        """,
    )
    project.stest().expect(0)
    first = project.read("pid")
    wait_for(lambda: identify(int(project.read("child"))) is None, "the end of the child")
    project.stest().expect(0)
    assert project.read("pid") != first


def test_what_an_ignored_module_keeps_survives(project: Project) -> None:
    """A model on a GPU, say: loaded by the first run that needs it, there for all later ones."""
    project.configure(sprintest="isolation = 'resident'\nignore = ['models']")
    project.write(
        "models.py",
        """
        import functools

        @functools.cache
        def model():
            return object()
        """,
    )
    project.write("light.py", "VALUE = 1\n")
    source = (
        "import light, models\ndef test(): open('seen', 'w').write(f'{id(models.model())} {light.VALUE}')\n"
    )
    project.write("test_it.py", source)
    settle(project)
    first = project.read("seen").split()[0]
    project.write("light.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == [first, "2"]


def test_ctrl_c_and_then_the_next_run(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.write("test_waits.py", WAITING_TEST)
    settle_run: Finished = project.stest("test_it.py")
    settle_run.expect(0)
    client = project.start("test_waits.py")
    project.await_file("started")
    client.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in project.finish(client).expect(2).text
    project.stest("test_it.py").expect(0)


def test_memory_limit_ends_the_process_between_runs(project: Project) -> None:
    project.configure(sprintest="isolation = 'resident'\nmemory_limit = '300MB'")
    project.write("test_it.py", PID + "import library\nlibrary.kept.append(bytearray(200 << 20))\n")
    project.install("library.py", "kept = []\n")
    settle(project)
    first = project.read("pid")
    run = project.stest().expect(0)
    assert project.read("pid") == first or "memory_limit" in run.errors
    project.stest().expect(0)
    assert project.read("pid") != first


@pytest.mark.parametrize("runs", [40, pytest.param(300, marks=pytest.mark.long)])
def test_many_runs_stay_flat(project: Project, runs: int) -> None:
    project.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # Looking for plugins takes a quarter of each run.
    project.write("library_of_ours.py", "DATA = list(range(1000))\n")
    project.write(
        "test_it.py",
        """
        import os, library_of_ours

        def test():
            pages = int(open("/proc/self/statm").read().split()[1])
            with open("seen", "a") as file:
                print(os.getpid(), pages * os.sysconf("SC_PAGE_SIZE"), file=file)
            assert [object() for _ in range(10000)]
        """,
    )
    settle(project)
    for _ in range(runs):
        project.stest("-q").expect(0)
    seen = [tuple(map(int, line.split())) for line in project.read("seen").splitlines()]
    assert len({pid for pid, _ in seen[2:]}) == 1
    growth = seen[-1][1] - seen[20][1]
    assert growth < 8 << 20, f"{growth >> 10} KiB in {len(seen) - 20} runs"
