"""Prints, as JSON, what is needed to embed the interpreter that runs this file; "" for what it lacks."""

from __future__ import annotations

import json
import os
import sys
import sysconfig


def config(name: str) -> str:
    return str(sysconfig.get_config_var(name) or "")


def first_file(folders: list[str], names: list[str]) -> str:
    """The first existing `folder/name`; relocated Pythons keep the folders of the machine that built them."""
    paths = (os.path.join(folder, name) for name in names if name for folder in folders if folder)
    return next((path for path in paths if os.path.isfile(path)), "")


def main() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lib = os.path.join(sys.base_prefix, "lib")
    archive = config("LIBRARY")
    header = first_file(
        [
            config("INCLUDEPY"),
            sysconfig.get_path("include"),
            os.path.join(sys.base_prefix, "include", "python" + config("LDVERSION")),
        ],
        ["Python.h"],
    )
    shared_names = [config("LDLIBRARY"), config("INSTSONAME")]
    found = {
        "version": version,
        "is_free_threaded": config("Py_GIL_DISABLED") == "1",
        "include": os.path.dirname(header),
        "shared": first_file(
            [config("LIBDIR"), lib, config("LIBPL")],
            [name for name in shared_names if ".so" in name],
        ),
        "static": first_file(
            [config("LIBPL"), config("LIBDIR"), lib], [archive.replace(".a", "-pic.a"), archive]
        ),
        "libraries": " ".join(map(config, ["MODLIBS", "LIBS", "SYSLIBS"])),
        "dev_package": f"python{version}-dev",
    }
    print(json.dumps(found))


main()
