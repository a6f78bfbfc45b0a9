"""Which modules an import brings along, and when a closure that was made ahead serves a run."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from sprintest.modules._closures import Closures
from sprintest.modules._member import Member

#: More than enough for a closure to be made ahead.
MANY = 100


class Cached:
    """Members `m0` .. that each import the next one; the last one imports `base`, which every run has."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.visible = {"base": ModuleType("base")}
        self.adopted: set[str] = set()
        self.spoilt: set[str] = set()
        for number in range(MANY):
            member = Member(ModuleSpec(f"m{number}", None), MANY - number)
            member.imports = {f"m{number + 1}" if number + 1 < MANY else "base"}
            member.module = ModuleType(member.name)
            self.members[member.name] = member
        self.closures = Closures(
            self.members,
            self.visible,
            self.adopted,
            lambda member: member.name in self.adopted,
            self.spoilt,
            (),
        )

    def adopt(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setitem(sys.modules, name, self.members[name].module)
        self.adopted.add(name)


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> Cached:
    cached = Cached()
    monkeypatch.setitem(sys.modules, "base", cached.visible["base"])
    return cached


def test_members_come_in_the_order_of_their_execution(cached: Cached) -> None:
    closure, rest, difference = cached.closures.of(cached.members["m97"])
    assert [member.name for member in closure.members] == ["m99", "m98", "m97"]
    assert (rest, difference) == ({"m97", "m98", "m99"}, None)


def test_what_is_loaded_is_not_loaded_again(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    cached.adopt(monkeypatch, "m99")
    assert cached.closures.of(cached.members["m97"])[1] == {"m97", "m98"}


def test_a_closure_that_was_made_ahead_serves_each_run(
    cached: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached.closures.prepare(["m0"])
    ahead, rest, _ = cached.closures.of(cached.members["m0"])
    assert len(rest) == MANY
    cached.adopt(monkeypatch, "m99")
    again, rest, difference = cached.closures.of(cached.members["m0"])
    assert again is ahead
    assert (len(rest), "m99" in rest, difference) == (MANY - 1, False, None)


def test_it_is_made_for_what_a_run_imports_first(cached: Cached) -> None:
    cached.closures.prepare(["unknown", "m90", "m20", "m30"])
    for name, is_ahead in (("m20", True), ("m30", False), ("m90", False)):
        found = [cached.closures.of(cached.members[name])[0] for _ in range(2)]
        assert (found[0] is found[1]) is is_ahead, name


@pytest.mark.parametrize("kind", ["not adopted", "gone", "stub", "another base", "spoilt"])
def test_it_does_not_serve_a_run_that_differs(
    cached: Cached, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cached.closures.prepare(["m0"])
    ahead = cached.closures.of(cached.members["m0"])[0]
    if kind == "not adopted":  # Somebody has put it there: what it imports is not.
        monkeypatch.setitem(sys.modules, "m50", cached.members["m50"].module)
    elif kind == "gone":
        cached.adopted.add("m50")
    elif kind == "stub":
        cached.adopt(monkeypatch, "m50")
        monkeypatch.setitem(sys.modules, "m50", ModuleType("m50"))
    elif kind == "another base":
        monkeypatch.setitem(sys.modules, "base", ModuleType("base"))
    else:
        cached.spoilt.add("m50")
    closure, rest, difference = cached.closures.of(cached.members["m0"])
    assert closure is not ahead
    if kind == "not adopted":
        assert ("m49" in rest, "m51" in rest, difference) == (True, False, None)
    elif kind != "spoilt":
        assert difference is not None


def test_nothing_that_was_made_ahead_outlives_a_change_of_the_members(cached: Cached) -> None:
    cached.closures.prepare(["m0"])
    ahead = cached.closures.of(cached.members["m0"])[0]
    cached.closures.forget()
    assert cached.closures.of(cached.members["m0"])[0] is not ahead
