"""Tells whether a run that was begun ahead can go on with other arguments.

It can if nothing has read the arguments that differ. Reads of options are observed, as are those of
``sys.argv`` and similar lists. The arguments of a request are parsed by the same parser. They must lead to
the same root, configuration file and ``conftest.py`` files.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import sys
from pathlib import Path
from typing import Any

import pytest

from sprintest.process import _private
from sprintest.process._own import os

_FILES = "file_or_dir"
#: Files whose code sets options, or copies all of them; that does not count as a read.
_FILL = (argparse.__file__, copy.__file__, _private.ARGUMENT_PARSER)
#: Modules whose hooks get the arguments and only search them for options; pytest-cov searches for its own.
_LOOK_FOR_OPTIONS = ("_pytest.", "sprintest.", "pytest_cov.")
_WITH_ARGS = ("pytest_cmdline_parse", "pytest_cmdline_preparse", "pytest_load_initial_conftests")
#: The index of the first argument in each list.
_FIRST = {"argv": 1, "orig_argv": 3}
_WORDS = "the list itself"

#: The options that were read. pytest itself searches the arguments for plugins (`-p`).
_read: set[str] = {"plugins"}


def _watched(base: Any, read: str = _WORDS) -> Any:
    """A subclass of ``base``, a list or a tuple, that notes ``read`` if more than its first item is read."""

    def noting(name: str) -> Any:
        method = getattr(base, name)

        def note(self: Any, *args: Any) -> Any:
            if (name, args) != ("__getitem__", (0,)):
                _read.add(read)
            return method(self, *args)

        return note

    names = set(dir(base)) - set(dir(object)) - {"__class_getitem__"}
    return type(base.__name__, (base,), {name: noting(name) for name in names | {"__eq__", "__repr__"}})


_List, _Tuple, _Files = _watched(list), _watched(tuple), _watched(list, _FILES)


_Namespace = argparse.Namespace


class _Options(_Namespace):
    def __getattribute__(self, name: str) -> Any:
        code = sys._getframe(1).f_code
        # pytest reads the files and folders while it configures itself: see `Arguments._leads_to`.
        is_files = name == _FILES and code.co_filename == _private.CONFIGURATION
        if code.co_filename not in _FILL and not (is_files and code.co_name not in ("getoption", "getvalue")):
            _read.add(name)
        return super().__getattribute__(name)


class Arguments:
    """The arguments of the run that this process is ahead of. ``args``: as in the expected request."""

    def __init__(self, args: list[str]) -> None:
        self._args = args
        #: The same after those of the configuration.
        self._all: list[str] = []
        self._config: Any = None
        self._replaced: dict[str, list[str]] = {}
        #: The options of the expected request.
        self._expected: dict[str, Any] = {}
        #: The last arguments that ``accept`` has accepted, and the options that differ.
        self._accepted: tuple[list[str], dict[str, Any]] = ([], {})

    def watch(self, config: Any, args: list[str]) -> None:
        """Must be called before pytest parses ``args``, a list to which it adds."""
        self._config, self._all = config, args
        config.option.__class__ = _Options
        argparse.Namespace = _Options  # type: ignore[misc]  # pytest also parses some options alone.
        config.invocation_params = _with(config.invocation_params, _Tuple(args))
        self._replaced = {name: getattr(sys, name) for name in _FIRST if hasattr(sys, name)}
        for name, words in self._replaced.items():
            setattr(sys, name, _List(words))

    def parsed(self) -> None:
        """Must be called when pytest has parsed them."""
        argparse.Namespace = _Namespace  # type: ignore[misc]
        if self._config is not None:
            self._config.args = _Files(self._config.args)

    def are_open(self) -> bool:
        """Whether other arguments can still take their place."""
        config = self._config
        if config is None or type(config.option) is not _Options or type(config.args) is not _Files:
            return False
        return _read.isdisjoint(("__dict__", _WORDS)) and not self._are_given_to_plugins()

    def _are_given_to_plugins(self) -> bool:
        """Whether hooks of plugins get the arguments, or run before these are observed."""
        hooks = self._config.hook
        found = [
            one for name in _WITH_ARGS if (hook := getattr(hooks, name, None)) for one in hook.get_hookimpls()
        ]
        before = [one for one in hooks.pytest_cmdline_main.get_hookimpls() if one.hookwrapper]
        return any(
            not one.function.__module__.startswith(_LOOK_FOR_OPTIONS)
            for one in (*before, *(one for one in found if "args" in one.argnames))
        )

    def prepare(self) -> bool:
        """Do ahead what ``accept`` would do for each request; whether that succeeds."""
        with contextlib.suppress(BaseException):  # Types of options are functions of plugins.
            self._expected = self._parse(self._all)
            return True
        return False

    def accept(self, args: list[str]) -> bool:
        """Whether a fork of this process can go on with these, once it has called ``take``."""
        try:
            return self._accept(args)
        except BaseException:  # They are wrong, ask for help, or lead nowhere: pytest will say so itself.
            return False

    def _accept(self, args: list[str]) -> bool:
        begin = len(self._all) - len(self._args)
        if self._all[begin:] != self._args:
            return False
        before, after = self._expected, self._parse([*self._all[:begin], *args])
        changed = {name: after[name] for name in after if after[name] != before.get(name)}
        options = vars(self._config.option)
        if (
            bool(after[_FILES]) < bool(before[_FILES])  # Then pytest itself decides where to look for tests.
            or after.keys() != before.keys()
            or not _read.isdisjoint(changed)
            or any(options.get(name) != before[name] for name in changed)
            or self._leads_to(after) != self._leads_to(before)
        ):
            return False
        self._accepted = (args, changed)
        return True

    def _parse(self, args: list[str]) -> dict[str, Any]:
        options: argparse.Namespace = self._config._parser.parse(list(args), namespace=argparse.Namespace())
        return vars(options)

    def _leads_to(self, options: dict[str, Any]) -> Any:
        """The root and the configuration file, and the ``conftest.py`` files in the order of their import."""
        if options["pyargs"]:
            raise ValueError("only pytest finds out what the names of packages lead to")
        folder = self._config.invocation_params.dir
        anchors = [path for file in options[_FILES] if (path := folder / file.split("::")[0]).exists()]
        conftests = [file for anchor in anchors or [folder] for file in _conftests(anchor)]
        return *_private.determine_setup(self._config, options), list(dict.fromkeys(conftests))

    def take(self, args: list[str] | None = None) -> None:
        """Must be called in the fork: from here on reads of the arguments are not observed any more.

        ``args``: if they differ, those that ``accept`` has accepted last.
        """
        config = self._config
        if config is None:
            return
        argparse.Namespace = _Namespace  # type: ignore[misc]  # ``parsed`` may not have been called.
        for options in (config.option, config.known_args_namespace):
            if type(options) is _Options:
                options.__class__ = _Namespace  # type: ignore[assignment]
        if args is not None and args != self._args:
            accepted, changed = self._accepted
            assert args == accepted
            self._become(args, changed)
        config.args = list(config.args)
        config.invocation_params = _with(config.invocation_params, tuple(self._args))
        for name, words in self._replaced.items():
            if type(getattr(sys, name)) is _List:
                setattr(sys, name, words)

    def _become(self, args: list[str], changed: dict[str, Any]) -> None:
        config = self._config
        self._all[len(self._all) - len(self._args) :] = self._args = args
        for options in (config.option, config.known_args_namespace):
            vars(options).update(changed)
        if _FILES in changed:
            list.__setitem__(config.args, slice(None), changed[_FILES])
            if hasattr(pytest.Config, "ArgsSource"):
                config.args_source = pytest.Config.ArgsSource.ARGS
        for name, words in self._replaced.items():
            for one in (words, getattr(sys, name)):  # Code may have kept the latter.
                list.__setitem__(one, slice(_FIRST[name], None), args)


def _with(params: Any, args: tuple[str, ...]) -> Any:
    params = copy.copy(params)
    object.__setattr__(params, "args", args)  # It is frozen.
    return params


def _conftests(anchor: Path) -> list[Path]:
    """The ``conftest.py`` files that pytest loads because of a file or folder among the arguments."""
    anchor = Path(os.path.abspath(anchor))
    below = sorted(anchor.glob("test*")) if anchor.is_dir() else []
    found = []
    for near in (anchor, *(path for path in below if path.is_dir())):
        folder = near if near.is_dir() else near.parent
        above = reversed((folder, *folder.parents))
        found += [file for one in above if (file := one / "conftest.py").is_file()]
    return found
