"""What became of the runs of a soak."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts by kind of run; used by several threads."""

    started: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    disturbed: Counter[str] = field(default_factory=Counter)  # Told so, because something was killed.
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, kind: str) -> None:
        with self._lock:
            self.started[kind] += 1

    def answer(self, kind: str, disturbed: bool) -> None:
        with self._lock:
            (self.disturbed if disturbed else self.answered)[kind] += 1

    def mistake(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)

    def lose(self, what: str) -> None:
        with self._lock:
            self.lost.append(what)

    def lines(self) -> list[str]:
        rows = [f"{'run':12} started  answered  told that it was disturbed"]
        rows += [
            f"{kind:12} {self.started[kind]:7}  {self.answered[kind]:8}  {self.disturbed[kind]:8}"
            for kind in sorted(self.started)
        ]
        total = [sum(counts.values()) for counts in (self.started, self.answered, self.disturbed)]
        rows.append(f"{'all':12} {total[0]:7}  {total[1]:8}  {total[2]:8}")
        rows.append(f"wrong {len(self.wrong)}, lost {len(self.lost)}")
        return rows
