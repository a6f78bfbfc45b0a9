"""Why a test failed, was skipped, or was expected to fail, for the report of a run. PYTEST_DONT_REWRITE"""

from __future__ import annotations

from typing import Any

#: At most so many characters of a failure, and of its output, are kept.
_MOST = 20_000


def details_of(report: Any, full: bool) -> dict[str, Any] | None:
    """None for a test that passed as expected. Without ``full`` neither traceback nor output."""
    xfail = getattr(report, "wasxfail", None)
    if report.passed and xfail is None:
        return None
    try:
        message, file, line = _place(report)
        shown = (str(report.longreprtext), _output(report)) if full and report.failed else ("", "")
    except Exception:  # A project may bring its own kinds of reports.
        message, file, line, shown = "", "", 0, ("", "")
    return {
        "message": (xfail or message)[:_MOST],
        "file": file,
        "line": line,
        "longrepr": shown[0][:_MOST],
        "output": shown[1][-_MOST:],
        "xfail": xfail is not None,
    }


def _place(report: Any) -> tuple[str, str, int]:
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):  # It was skipped.
        file, line, reason = longrepr
        return str(reason), str(file), int(line or 0)
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message), str(crash.path), int(crash.lineno or 0)
    errors = [line[1:].strip() for line in str(longrepr).splitlines() if line.startswith("E ")]
    return errors[0] if errors else "", "", 0


def _output(report: Any) -> str:
    return "".join(
        f"--- {name} ---\n{text.rstrip()}\n" for name, text in report.sections if name.startswith("Captured")
    )
