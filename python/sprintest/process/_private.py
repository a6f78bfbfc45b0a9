"""All private names of Python and pytest that stest uses.

They are looked up when this is imported. If a needed one is missing, the import fails, the worker says so,
and `python -m pytest` does every run. Names that only make runs faster may be missing.
"""

from __future__ import annotations

import atexit
import contextlib
import genericpath
import importlib
import importlib.util
import inspect
import logging
import operator
import os
import pathlib
import signal
import sys
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any, Callable

import _pytest
import _pytest.config
import _pytest.config.argparsing
import _pytest.main
import _pytest.runner
import _pytest.timing
import pytest
from _pytest.assertion import rewrite

_NEEDED = {
    importlib: [
        "_bootstrap._find_spec",
        "_bootstrap._gcd_import",
        "_bootstrap._load_unlocked",
        "_bootstrap._resolve_name",
        "_bootstrap_external._validate_timestamp_pyc",
        "util._find_spec",
    ],
    os: ["environ._data", "environ.encodekey", "environ.encodevalue"],
    atexit: ["_ncallbacks", "_run_exitfuncs"],
    logging: ["_startTime"],
    sys: ["_getframe"],
    threading: ["_shutdown"],
    warnings: ["_showwarnmsg", "_showwarnmsg_impl"],
    weakref: ["finalize._registry"],
    rewrite: ["AssertionRewritingHook", "_read_pyc", "assertstate_key"],
    _pytest.config: ["_iter_rewritable_modules", "_prepareconfig", "determine_setup"],
    _pytest.main: ["pytest_runtestloop"],
    _pytest.runner: ["call_and_report", "runtestprotocol"],
    _pytest.timing: ["time"],
}


def _check() -> None:
    for module, names in _NEEDED.items():
        for name in names:
            try:
                operator.attrgetter(name)(module)
            except AttributeError:
                owner = "pytest " + pytest.__version__ if module.__name__.startswith("_pytest") else "Python"
                raise ImportError(
                    f"{owner} has no {module.__name__}.{name}, which this version of stest needs"
                ) from None


_check()

# ---- the import system

bootstrap: Any = importlib._bootstrap
bootstrap_external: Any = importlib._bootstrap_external
find_spec, resolve_name = bootstrap._find_spec, bootstrap._resolve_name


def wrap_imports(
    find_spec: Any = None, load_unlocked: Any = None, gcd_import: Any = None
) -> tuple[Any, Any, Any]:
    """Replace functions of the import system; return the previous ones."""
    before = bootstrap._find_spec, bootstrap._load_unlocked, bootstrap._gcd_import
    new = {"_find_spec": find_spec, "_load_unlocked": load_unlocked, "_gcd_import": gcd_import}
    for name, function in new.items():
        if function is not None:
            setattr(bootstrap, name, function)
    if find_spec is not None:
        importlib.util._find_spec = find_spec  # type: ignore[attr-defined]
    return before


def as_import_system(function: Any) -> Any:
    """Give a wrapper the file name of the import system, which CPython removes from tracebacks."""
    function.__code__ = function.__code__.replace(co_filename="<frozen importlib._bootstrap>")
    return function


def wrap_code(make: Callable[[Any], Any]) -> Callable[[], None]:
    """Let ``make`` wrap the method that gives the code of a module; return what takes that back."""
    loader = bootstrap_external.SourceLoader
    before = loader.get_code
    loader.get_code = make(before)

    def end() -> None:
        loader.get_code = before

    return end


def wrap_validation(make: Callable[[Any], Any]) -> None:
    """Let ``make`` wrap the function that compares a ``.pyc`` with its source."""
    bootstrap_external._validate_timestamp_pyc = make(bootstrap_external._validate_timestamp_pyc)


def wrap_reading_of_rewritten(make: Callable[[Any], Any]) -> None:
    """Let ``make`` wrap the function by which pytest reads the ``.pyc`` of a rewritten module."""
    rewrite._read_pyc = make(rewrite._read_pyc)


def namespace_path(path: Any) -> list[str]:
    """The entries of a namespace package's ``__path__``, without the search for its parent."""
    return list(getattr(path, "_path", ()))


# ---- the interpreter's tables

environ_data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
encode_key: Any = os.environ.encodekey
encode_value: Any = os.environ.encodevalue
current_frame = sys._getframe


def value_in(environ: Any, key: Any) -> Any:
    """The variable's encoded value in ``os.environ`` or ``os.environb``. It does not count as a read."""
    return environ._data.get(environ.encodekey(key))


exit_functions: Callable[[], int] = atexit._ncallbacks
run_exit_functions: Callable[[], None] = atexit._run_exitfuncs
shut_threads_down: Callable[[], None] = threading._shutdown  # type: ignore[attr-defined]
finalisers: dict[Any, Any] = weakref.finalize._registry  # type: ignore[attr-defined]

_renew_native_id: Any = getattr(threading.main_thread(), "_set_native_id", lambda: None)
_time_of_log: Any = logging._startTime  # type: ignore[attr-defined]
_now, _now_ns = importlib.import_module("time").time, importlib.import_module("time").time_ns


def renew_native_id() -> None:
    """Must be called after a fork. Python does this itself since about 3.13."""
    _renew_native_id()


def renew_multiprocessing(process: Any, folder: str) -> None:
    """Renew what the module sets when it is imported: the folder of the process, and a random key."""
    if process is not None:
        process.ORIGINAL_DIR = folder
        process.current_process().authkey = os.urandom(32)


def forget_start_method(context: Any) -> None:
    """Reset the start method in ``multiprocessing.context``, as in a new process."""
    if context is not None:
        context._default_context._actual_context = None


#: Modules whose random numbers stest itself draws again in each run.
RENEWED = {"multiprocessing.process"}


def restart_log_clock() -> None:
    logging._startTime = (  # type: ignore[attr-defined]
        _now_ns() if isinstance(_time_of_log, int) else _now()
    )


def filters_changed() -> None:
    """Must be called after ``warnings.filters`` was changed in place."""
    for name in ("_filters_mutated", "_filters_mutated_lock_held"):  # The latter since Python 3.14.
        with contextlib.suppress(AttributeError, RuntimeError):
            getattr(warnings, name)()
            return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # This marks the filters as changed.


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Ignore warnings in this block, for stest's own work; then restore the user's filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def show_warnings_to(take: Callable[[Any], None]) -> None:
    """Call ``take`` with each warning that is shown, until the context of the filters is left."""
    warnings._showwarnmsg_impl = take  # type: ignore[attr-defined]


def notice_warnings(take: Callable[[Any], None]) -> Callable[[], None]:
    """Call ``take`` with each warning that is shown, until the returned function is called."""
    show: Any = warnings._showwarnmsg  # type: ignore[attr-defined]

    def _showwarnmsg(warning: Any) -> None:
        take(warning)
        show(warning)

    def end() -> None:
        warnings._showwarnmsg = show  # type: ignore[attr-defined]

    warnings._showwarnmsg = _showwarnmsg  # type: ignore[attr-defined]
    return end


@contextlib.contextmanager
def log_of_warnings(take: Callable[[str], None]) -> Iterator[None]:
    """Call ``take`` with each record of level WARNING or higher that is logged in this block."""
    before: Any = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> Any:
        record = before(*args, **kwargs)
        if record.levelno >= logging.WARNING:
            take(f"{record.levelname}: {record.msg}")
        return record

    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        if logging.getLogRecordFactory() is make:
            logging.setLogRecordFactory(before)


def action_for(text: str, category: type, module: str, line: int) -> str:
    """The action of the present filters for such a warning, as ``warnings`` finds it."""
    for action, message, kind, place, number in warnings.filters:
        if (
            (message is None or _matches(message, text))
            and issubclass(category, kind)
            and (place is None or _matches(place, module))
            and number in (0, line)
        ):
            return action
    return str(getattr(warnings, "defaultaction", "default"))


def _matches(pattern: Any, text: str) -> bool:
    return text == pattern if isinstance(pattern, str) else bool(pattern.match(text))


#: Functions that show a warning; libraries replace them.
WARNING_FUNCTIONS = [
    name for name in ("showwarning", "formatwarning", "_showwarnmsg_impl") if hasattr(warnings, name)
]

#: In `asyncio.events`, before Python 3.14.
EVENT_LOOP_POLICY = "_event_loop_policy"


def thread_function(thread: threading.Thread) -> Any:
    return getattr(thread, "_target", None) or type(thread).run


#: The names of its modules; empty before Python 3.10.
STANDARD_LIBRARY: frozenset[str] = getattr(sys, "stdlib_module_names", frozenset())


# ---- pytest


class _Configuration:
    """The parts of a configuration that pytest's rewriting needs, without a command line."""

    def __init__(self) -> None:
        def trace(*args: object) -> None:
            pass

        self.stash = {rewrite.assertstate_key: SimpleNamespace(mode="rewrite", hook=None, trace=trace)}

    def getini(self, name: str) -> Any:
        if name == "enable_assertion_pass_hook":
            return False
        raise ValueError(f"no configuration has been read: {name}")  # The hook uses the default.

    def issue_config_time_warning(self, warning: Warning, stacklevel: int) -> None:
        """Ignore it: each run warns of its own imports."""


def rewriting_hook(packages: Iterable[str]) -> Any:
    """The finder that rewrites assertions in ``packages``, for ``sys.meta_path``."""
    configuration: Any = _Configuration()
    hook = rewrite.AssertionRewritingHook(configuration)
    configuration.stash[rewrite.assertstate_key].hook = hook
    hook.mark_rewrite(*packages)
    return hook


def is_rewriting(loader: Any) -> bool:
    return type(loader).__name__ == "AssertionRewritingHook"


def rewritable_modules(files: Iterable[str]) -> set[str]:
    """The top-level modules and packages among the files of a distribution."""
    return set(_pytest.config._iter_rewritable_modules(files))


def register_in_next_session(plugin: object) -> None:
    """Register ``plugin`` in pytest's next session, without an argument that could be seen.

    Sessions that tests start within that session do not get the plugin.
    """
    prepare = _pytest.config._prepareconfig

    def prepare_with_plugin(args: Any = None, plugins: Any = None, **more: Any) -> Any:
        _pytest.config._prepareconfig = prepare
        return prepare(args, [*(plugins or ()), plugin], **more)

    _pytest.config._prepareconfig = prepare_with_plugin


#: The files in which pytest parses its options, and in which it reads them.
ARGUMENT_PARSER, CONFIGURATION = str(_pytest.config.argparsing.__file__), str(_pytest.config.__file__)


def determine_setup(config: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """The root and the configuration file that these options lead to."""
    known = {
        "inifile": options["inifilename"],
        "override_ini": options["override_ini"],
        "args": options["file_or_dir"],
        "rootdir_cmd_arg": options["rootdir"] or None,
        "invocation_dir": config.invocation_params.dir,
        "config": config,
    }
    function: Any = getattr(_pytest.config, "determine_setup")  # noqa: B009  # It is defined elsewhere.
    found: Any = function(**{name: known[name] for name in inspect.signature(function).parameters})
    return found[0], found[1]


def is_other_pytest() -> bool:
    """Whether an import of pytest now leads to another module than here."""
    return any(
        sys.modules.get(module.__name__) is not module for module in (pytest, _pytest.config, _pytest.main)
    )


#: Functions that lead to a test. No test runs without them, whatever plugins there are.
_LEAD_TO_TESTS: list[Any] = [_pytest.runner.runtestprotocol, _pytest.runner.call_and_report]


def type_questions() -> tuple[list[Any], list[Any]]:
    """Functions that ask type questions, and functions that they may call for that."""
    asking = [(genericpath, "exists isfile isdir"), (pathlib.Path, "exists is_file is_dir")]
    passing = [(bootstrap_external, "_path_stat"), (pathlib.Path, "stat")]
    return _functions([*asking, (bootstrap_external, "_path_is_mode_type")]), _functions(passing)


def _functions(named: list[tuple[Any, str]]) -> list[Any]:
    """The functions of these names that exist and are written in Python."""
    found = [getattr(owner, name, None) for owner, names in named for name in names.split()]
    return [one for one in found if isinstance(one, FunctionType)]


def has_timers() -> bool:
    """Whether a timer is set that will send a signal."""
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return any(signal.getitimer(timer)[0] for timer in timers)


def bar_tests() -> Callable[[], None]:
    """Let no test run in this process before its request has come; return a function that ends this.

    The code of the functions is replaced, so that it applies wherever they were imported.
    """
    loop: Any = _pytest.main.pytest_runtestloop
    codes: list[tuple[Any, CodeType]] = [(one, one.__code__) for one in (loop, *_LEAD_TO_TESTS)]

    def pytest_runtestloop(session: Any) -> None:  # pluggy reads the name of the argument.
        from _stest_runner import require_request  # type: ignore[import-not-found]

        require_request()

    def barred(*args: Any, **kwargs: Any) -> None:
        from _stest_runner import require_request

        require_request()

    def end() -> None:
        for function, code in codes:
            function.__code__ = code

    for function, _ in codes:
        function.__code__ = (pytest_runtestloop if function is loop else barred).__code__
    return end


def collect_at_the_end_if(is_due: Callable[[], bool]) -> None:
    """Let pytest collect garbage at the end of a session only if ``is_due()``."""
    plugin = sys.modules.get("_pytest.unraisableexception")
    collect = getattr(plugin, "gc_collect_harder", None)
    if collect is not None:

        def gc_collect_harder(iterations: int) -> None:
            if is_due():
                collect(iterations)

        plugin.gc_collect_harder = gc_collect_harder  # type: ignore[union-attr]


def restart_session_clocks(config: Any) -> None:
    """Restart the clocks in pytest's own plugins, which measure how long the run takes."""
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__module__.startswith("_pytest."):
            for name, value in list(vars(plugin).items()):
                if name in ("_session_start", "suite_start"):
                    setattr(plugin, name, type(value)())
                elif name in ("_sessionstarttime", "suite_start_time"):
                    setattr(plugin, name, _pytest.timing.time())


def is_cache_decisive(config: Any) -> bool:
    """Whether pytest's cache decides which tests this run selects, or their order."""
    return any(config.getoption(name, None) for name in ("lf", "failedfirst", "newfirst"))


def read_cache_again(config: Any, reports: list[Any]) -> None:
    """Let pytest read its cache again: other runs may have written it since pytest was configured.

    ``reports``: the reports of what has been collected since.
    """
    if is_cache_decisive(config):  # Then it counts as any other file that has been looked at: it is the same.
        return
    get = config.pluginmanager.get_plugin
    if (failed := get("lfplugin")) is not None:
        failed.lastfailed = type(failed)(config).lastfailed
        for report in reports:
            failed.pytest_collectreport(report)
    if (new := get("nfplugin")) is not None:
        collected = {item.nodeid for report in reports for item in report.result or ()}
        ids = type(new)(config).cached_nodeids
        new.cached_nodeids = ids | {one for one in new.cached_nodeids if str(one) in collected}


def last_failed_file(config: Any) -> str:
    """The file in which pytest will note what has failed; empty if it will not."""
    folder = getattr(getattr(config, "cache", None), "_cachedir", None)
    if folder is None or not config.pluginmanager.hasplugin("lfplugin"):
        return ""
    return os.path.join(str(folder), "v", "cache", "lastfailed")


def on_test_of_node(node: Any, begins: Callable[[str], None]) -> None:
    """Let ``begins`` know of each test that this worker of pytest-xdist begins, before the hooks are called.

    These do not tell which worker it is.
    """
    put = getattr(node, "putevent", None)
    if put is None:
        return

    def put_event(event: tuple[str, dict[str, Any]]) -> None:
        if event[0] == "logstart":
            begins(event[1]["nodeid"])
        put(event)

    node.putevent = put_event
