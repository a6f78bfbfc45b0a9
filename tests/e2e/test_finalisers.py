"""A collection of garbage is left out at the end of a run only if nobody could notice it."""

from __future__ import annotations

import pytest

from .harness import Finished, Project
from .test_run_ahead import waiting

SUBJECT = """
import os, weakref

class Plain:
    pass

class Finalised:
    def __init__(self, text):
        self.text = text
    def __del__(self, write=os.write):  # A default stays when an ending interpreter empties the modules.
        write(2, b"END: " + self.text.encode())

def end(*_, write=os.write):
    write(2, b"END: called")

def suspended():
    try:
        yield
    finally:
        end()

def in_cycle(thing):
    holder = Plain()
    holder.self, holder.thing = holder, thing
    return holder

kept = {}
"""

#: What is done while the tests are collected, and in the test. Each shows at the end, or leaves a file.
AT_COLLECTION = {
    "finaliser": "kept['it'] = Finalised('kept')",
    "finaliser in a cycle": "in_cycle(Finalised('cycle'))",
    "generator": "kept['it'] = suspended(); next(kept['it'])",
    "callback": "kept['it'] = Plain(); reference = weakref.ref(kept['it'], end); kept['other'] = reference",
}
IN_TEST = {
    **{f"{name} of the test": code for name, code in AT_COLLECTION.items()},
    "file": "global file; file = open('end', 'w'); file.write('file')",
    "of a subclass": "class Derived(Finalised): pass\n    in_cycle(Derived('derived'))",
    "in an attribute": "kept['it'] = Plain(); kept['it'].inner = [Finalised('inner')]",
    "of many": "in_cycle(Finalised('many')); global many; many = [[] for _ in range(20000)]",
    "grown old": "global many; many = [Finalised('old')] + [[] for _ in range(20000)]",
    "raising": "class Raises:\n        def __del__(self): 1 / 0\n    in_cycle(Raises())",
    "unclosed": "in_cycle(open('end'))",
}
CASES = [(code, "") for code in AT_COLLECTION.values()] + [("", code) for code in IN_TEST.values()]


@pytest.fixture(autouse=True)
def _switched_on(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]


@pytest.mark.parametrize(("collecting", "testing"), CASES, ids=[*AT_COLLECTION, *IN_TEST])
def test_finaliser_runs(project: Project, collecting: str, testing: str) -> None:
    project.write("subject.py", SUBJECT)
    source = f"from subject import *\n{collecting}\ndef test():\n    {testing or 'pass'}\n"
    project.write("test_it.py", source)

    def outcome(finished: Finished) -> tuple[object, ...]:
        shown = [
            (finished.text + finished.errors).count(word)
            for word in ("END: ", "Exception ignored", "Warning")
        ]
        return finished.code, *shown, project.read("end")

    args = ("-q", "-W", "error::ResourceWarning")
    project.write("end", "")
    plain = outcome(project.plain(*args))
    for _ in range(2):
        project.write("end", "")
        assert outcome(project.stest(*args)) == plain
    if testing:
        waiting(project)
    project.write("end", "")
    assert outcome(project.stest(*args)) == plain


@pytest.mark.parametrize("count", [1, 20_000])
def test_nothing_is_collected_where_there_is_none(project: Project, count: int) -> None:
    project.write("subject.py", SUBJECT)
    project.write(
        "conftest.py",
        """
        import atexit, gc

        counted = []

        def pytest_sessionfinish():
            gc.callbacks.append(lambda phase, info: counted.append(info["generation"]))
            atexit.register(lambda: open("counted", "w").write(str(2 in counted)))
        """,
    )
    project.write(
        "test_it.py",
        f"""
        from subject import *

        def test():
            in_cycle(kept)
            kept["many"] = [[] for _ in range({count})]
        """,
    )
    project.stest("-q").expect(0)
    assert project.read("counted") == "True"
    project.stest("-q").expect(0)
    waiting(project)
    project.stest("-q").expect(0)
    assert project.read("counted") == "False"
