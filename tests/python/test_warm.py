"""`sprintest.warm` in plain Python, and what a call is made of when it is sent to another process."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sprintest
from sprintest.modules._modules import ProjectCode
from sprintest.values import _serialize


def test_value_is_made_once_for_equal_arguments() -> None:
    calls = []

    @sprintest.warm
    def load(number: int, name: str = "") -> list[Any]:
        """Loads."""
        calls.append(number)
        return [number, name]

    assert load(1) is load(1)
    assert load(1, name="a") == [1, "a"]
    assert calls == [1, 1]
    assert (load.__name__, load.__doc__) == ("load", "Loads.")


def test_files_lie_beside_the_source() -> None:
    @sprintest.warm(files=["model", Path("/data") / "set"])
    def load() -> None: ...

    here = Path(__file__).parent
    assert load.warm_files == [str(here / "model"), "/data/set"]  # type: ignore[attr-defined]


def test_what_is_no_plain_function_is_refused() -> None:
    def steps() -> Iterator[int]:
        yield 1

    async def later() -> None: ...

    for function in (steps, later, 3):
        with pytest.raises(TypeError, match="a plain function"):
            sprintest.warm(function)  # type: ignore[type-var]
    with pytest.raises(TypeError, match="a list of paths"):
        sprintest.warm(files="model")


class Code:
    """A project with modules, of which it ships calls."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._code = ProjectCode(str(root))

    def write(self, **modules: str) -> None:
        for name, source in modules.items():
            (self.root / f"{name}.py").write_text(textwrap.dedent(source))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def serialize(self, module: str, *args: Any) -> bytes:
        return _serialize.serialize((importlib.import_module(module).load, args, {}), self._code)[0]

    def call(self, data: bytes, forget: tuple[str, ...]) -> Any:
        """The result of the call in a process that has none of the modules `forget`."""
        for name in forget:
            sys.modules.pop(name, None)
        function, args, kwargs = _serialize.rebuild(data, _serialize.Marker())
        result = function(*args, **kwargs)
        assert not set(forget).intersection(sys.modules)
        return result


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Code]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Code(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_call_brings_along_what_it_uses(code: Code) -> None:
    code.write(
        settings="SIZE = 3\nUNUSED = {}\ndef double(number): return 2 * number\n",
        main="""
            import json, settings
            from functools import lru_cache
            from pathlib import Path

            HERE = Path(__file__).name
            OFFSET = (1, 2.5)

            def factorial(number):
                return 1 if number < 2 else number * factorial(number - 1)

            def scaled(factor):
                def scale(number, *, by=factor):
                    return number * by
                return scale

            triple = scaled(3)

            @lru_cache(maxsize=None)
            def cached():
                return "cached"

            def load(number, other=7):
                class Local:
                    place = HERE
                parts = [factorial(4), triple(2), settings.double(settings.SIZE), number, other, sum(OFFSET)]
                return json.dumps([*parts, cached(), Local.place])
        """,
    )
    data = code.serialize("main", 5)
    assert code.call(data, ("main", "settings")) == '[24, 6, 6, 5, 7, 3.5, "cached", "main.py"]'


def test_bytes_tell_whether_a_call_gives_the_same(code: Code) -> None:
    main = "from helper import helped\nUSED, UNUSED = 1, 2\ndef load(number): return helped(number) + USED\n"
    helper = "BASE = 10\ndef helped(number): return BASE + number\n"
    code.write(main=main, helper=helper)
    first = code.serialize("main", 1)
    assert code.serialize("main", 1) == first
    code.write(main=main, helper=helper)
    assert code.serialize("main", 1) == first
    for edit in ({"main": main.replace("1,", "3,")}, {"helper": helper.replace("10", "11")}):
        code.write(**{"main": main, "helper": helper, **edit})
        assert code.serialize("main", 1) != first
    code.write(main=main.replace("2\n", "3\n"), helper=helper + "# A remark.\n")
    assert code.serialize("main", 1) == first
    assert code.serialize("main", 2) != first
    assert code.serialize("main", True) != first


def test_what_lies_in_another_process_is_not_known_here(code: Code) -> None:
    code.write(main="import this_is_mine\ndef load(): return this_is_mine.f()\n", this_is_mine="f = len\n")
    data = code.serialize("main")
    with pytest.raises(TypeError):  # `len` without an argument: the module came along, itself unseen.
        code.call(data, ("main", "this_is_mine"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class Mine: pass\ndef load(): return Mine()", "the project's class Mine"),
        ("class Mine: pass\nMINE = Mine()\ndef load(): return MINE", "Mine: each run has its own"),
        ("NAMES = []\ndef load(): return NAMES", "NAMES, a list"),
        ("def load(names=[]): return names", "a default, a tuple"),
        ("NESTED = ((1, {}),)\ndef load(): return NESTED", "NESTED, a tuple"),
        ("import inner\ndef load(): return getattr(inner, 'NAME')", "module inner, and getattr"),
        ("import inner\ndef load(): return inner.NAMES", "inner.NAMES, a dict"),
        ("def load():\n    global X\n    X = 1", "sets the global variable X"),
        ("def load():\n    from inner import NAME", "imports the project's inner"),
        ("def load():\n    def f(): return globals()\n    return f()", "it uses globals"),
    ],
)
def test_refusal(code: Code, source: str, reason: str) -> None:
    code.write(inner="NAMES = {}\nNAME = 1\n", main=source)
    with pytest.raises(_serialize.NotShippable, match=reason):
        code.serialize("main")
