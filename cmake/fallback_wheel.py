"""Makes the wheel for other systems: `sprintest.warm`, and a `stest` that is `python -m pytest`.

    python cmake/fallback_wheel.py WHEEL FOLDER

WHEEL is one with stest's programs, which pip prefers where it fits; name, version and metadata are its own.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

MODULES = ("__init__.py", "__main__.py", "py.typed")
TAGS = "Wheel-Version: 1.0\nGenerator: stest\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
SCRIPT = "[console_scripts]\nstest = sprintest.__main__:main\n"


def contents(wheel: zipfile.ZipFile, info: str) -> dict[str, bytes]:
    """The files of the new wheel, but for its RECORD."""
    kept = [f"sprintest/{name}" for name in MODULES]
    kept += [name for name in wheel.namelist() if name.startswith((f"{info}/METADATA", f"{info}/licenses/"))]
    files = {name: wheel.read(name) for name in kept}
    return {**files, f"{info}/WHEEL": TAGS.encode(), f"{info}/entry_points.txt": SCRIPT.encode()}


def record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"


def main(source: Path, folder: Path) -> None:
    distribution = "-".join(source.name.split("-")[:2])
    info = f"{distribution}.dist-info"
    with zipfile.ZipFile(source) as wheel:
        files = contents(wheel, info)
    record = "".join(record_line(*file) for file in files.items()) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{distribution}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in {**files, f"{info}/RECORD": record.encode()}.items():
            wheel.writestr(name, content)


main(Path(sys.argv[1]), Path(sys.argv[2]))
