"""Which package is under development, by what the user has configured and by convention."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sprintest.preload import _target
from sprintest.preload._target import Target


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    assert "package" not in set(sys.modules) - before
    importlib.invalidate_caches()


def make(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise AssertionError('nothing is imported')\n")


def named(root: Path, name: str) -> None:
    (root / "pyproject.toml").write_text(f"[project]\nname = {name!r}\n")


def install(site: Path, name: str, direct_url: str) -> None:
    """The metadata of a distribution."""
    info = site / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "direct_url.json").write_text(direct_url)


def found(root: Path, name: str = "", path: str = "") -> tuple[str, str, str] | None:
    """The target, its path counted from the root's parent."""
    target = _target.find(str(root), name, path)
    if target is None:
        return None
    place = target.path and str(Path(target.path).relative_to(root.parent))
    return target.name, place, target.how


def test_nothing_to_be_found(root: Path) -> None:
    assert found(root) is None
    make(root, "tests/__init__.py", "docs/conf.py", "not-a-name/__init__.py", "setup.py")
    assert found(root) is None


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("src/package/__init__.py", "project/src/package"),
        ("package/__init__.py", "project/package"),
        ("package/part/__init__.py", "project/package"),
        ("package.py", "project/package.py"),
    ],
)
def test_configured_name_and_project_name(root: Path, file: str, place: str) -> None:
    make(root, file, "src/other/__init__.py", "other/__init__.py")
    assert found(root, "package") == ("package", place, "configured")
    named(root, "package")
    assert found(root) == ("package", place, "project.name")


def test_configured_folder(root: Path) -> None:
    make(root, "src/package/__init__.py")
    folder = str(root / "lib" / "mine")
    assert _target.find(str(root), "", f"{folder}/") == Target("mine", f"{folder}/", "configured")
    assert _target.find(str(root), "yours", folder) == Target("yours", folder, "configured")


def test_configured_name_of_something_installed(root: Path, site: Path) -> None:
    make(site, "package/__init__.py", "package/part/__init__.py", "package/one.py", "space/inner/part.py")
    assert found(root, "package") == ("package", "site/package", "configured")
    assert found(root, "package.part") == ("package.part", "site/package/part", "configured")
    assert found(root, "package.one") == ("package.one", "site/package/one.py", "configured")
    assert found(root, "space.inner.part") == ("space.inner.part", "site/space/inner/part.py", "configured")
    for name in ("package.two", "nowhere", "nowhere.at.all", "package.one.deeper", "not a name", ".", "a..b"):
        assert found(root, name) == (name, "", "configured")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("tiny-ai", "tiny_ai"), ("Tiny-AI", "Tiny_AI"), ("Tiny-AI", "tiny_ai"), ("tiny.ai", "tiny/ai")],
)
def test_project_name_as_a_module(root: Path, name: str, folder: str) -> None:
    make(root, f"src/{folder}/__init__.py", "src/other/__init__.py")
    named(root, name)
    assert found(root) == (folder.replace("/", "."), f"project/src/{folder}", "project.name")


def test_project_name_of_an_editable_install(root: Path, site: Path) -> None:
    make(root, "code/package/__init__.py", "src/other/__init__.py")
    named(root, "package")
    (site / "package").symlink_to(root / "code" / "package")
    install(site, "package", '{"url": "file:///elsewhere", "dir_info": {"editable": true}}')
    assert found(root) == ("package", "site/package", "project.name")


@pytest.mark.parametrize("direct_url", ["", "{", "[]", '{"dir_info": {}}', '{"archive_info": {}}'])
def test_copy_that_is_installed_is_not_the_one_under_development(
    root: Path, site: Path, direct_url: str
) -> None:
    make(site, "package/__init__.py")
    make(root, "src/other/__init__.py")
    named(root, "package")
    install(site, "package", direct_url)
    assert found(root) == ("other", "project/src/other", "src")


@pytest.mark.parametrize("text", ["", "[project]", "[project]\nname = 7", "project = 1", "name = [", "\xff"])
def test_the_only_package_where_there_is_no_name(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(text, encoding="latin-1")
    make(root, "package/__init__.py", "tests/__init__.py", "space/part.py")
    assert found(root) == ("package", "project/package", "root")
    make(root, "src/inner/__init__.py", "src/helper.py")
    assert found(root) == ("inner", "project/src/inner", "src")
    make(root, "src/second/__init__.py")
    assert found(root) == ("package", "project/package", "root")
    make(root, "other/__init__.py")
    assert found(root) is None
