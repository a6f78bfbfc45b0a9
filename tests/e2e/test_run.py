"""A run gives what `python -m pytest` gives: exit code, output, files."""

from __future__ import annotations

import os
import re
from xml.etree import ElementTree

import pytest

from .harness import Finished, Project

SHARES_A_DAEMON = True

SUITE = """
    import pytest

    def test_passes():
        pass

    @pytest.mark.skip(reason="not today")
    def test_skipped():
        pass

    def test_fails():
        left = [1, 2]
        assert left == [1, 3]

    @pytest.mark.parametrize("word", ["a b", "über"])
    def test_words(word):
        assert word
"""


def without_timings(output: str) -> str:
    return re.sub(r"\d+\.\d+s( \(\d+:\d\d:\d\d\))?", "Ts", output)


def own_lines_removed(errors: str) -> str:
    """What others than stest itself wrote to stderr."""
    return "".join(line for line in errors.splitlines(True) if not line.startswith(("stest:", "hint:")))


def assert_same(warm: Finished, plain: Finished) -> None:
    assert warm.code == plain.code, warm
    assert without_timings(warm.text) == without_timings(plain.text)
    assert own_lines_removed(warm.errors) == plain.errors


@pytest.mark.parametrize(
    ("source", "args", "code"),
    [
        pytest.param("def test(): pass", [], 0, id="passed"),
        pytest.param("def test(): assert 0", [], 1, id="failed"),
        pytest.param("import nothing_of_that_name", [], 2, id="collection-error"),
        pytest.param("import pytest\ndef test(): pytest.skip('x')", [], 0, id="skipped"),
        pytest.param("import pytest\ndef test(): pytest.exit('x', returncode=77)", [], 77, id="own-code"),
        pytest.param("def test(): pass", ["--no-such-option"], 4, id="usage-error"),
        pytest.param("def test(): pass", ["missing.py"], 4, id="missing-file"),
        pytest.param("", [], 5, id="no-tests"),
        pytest.param("def test(): pass", ["-k", "other"], 5, id="all-deselected"),
    ],
)
def test_exit_code_and_output_are_those_of_pytest(
    project: Project, source: str, args: list[str], code: int
) -> None:
    project.write("test_it.py", source)
    plain = project.plain(*args, "-p", "no:cacheprovider").expect(code)
    for _ in ("first run", "warm run"):
        assert_same(project.stest(*args, "-p", "no:cacheprovider"), plain)


def test_internal_error_of_pytest_is_3(project: Project) -> None:
    project.write("conftest.py", "def pytest_runtestloop(): raise ValueError('broken hook')")
    project.write("test_it.py", "def test(): pass")
    project.plain().expect(3)
    assert "broken hook" in project.stest().expect(3).text


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["-v", "-k", "words and not b"], id="k-with-spaces"),
        pytest.param(["-v", "test_it.py::test_words[a b]"], id="node-id-with-space"),
        pytest.param(["-q", "-rA", "--tb=short", "-p", "no:cacheprovider"], id="several-short-options"),
        pytest.param(["--collect-only", "-q"], id="collect-only"),
        pytest.param(["--fixtures-per-test", "-k", ""], id="empty-argument"),
    ],
)
def test_arguments_arrive_untouched(project: Project, args: list[str]) -> None:
    project.write("test_it.py", SUITE)
    assert_same(project.stest(*args), project.plain(*args))


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_run_with_dashes_passes_flags_that_stest_has_itself(project: Project, flag: str) -> None:
    assert_same(project.stest("run", "--", flag), project.plain(flag))


def test_output_of_a_whole_suite_equals_plain_pytest(project: Project) -> None:
    project.write("test_it.py", SUITE)
    args = ("-vv", "-rA", "-p", "no:cacheprovider")
    plain = project.plain(*args).expect(1)
    for _ in ("first run", "warm run"):
        assert_same(project.stest(*args), plain)


def test_junit_xml_holds_the_same_results(project: Project) -> None:
    project.write("test_it.py", SUITE)

    def results(file: str) -> list[tuple[str, str, list[str]]]:
        cases = ElementTree.parse(project.root / file).iter("testcase")
        return [(case.get("classname", ""), case.get("name", ""), [e.tag for e in case]) for case in cases]

    project.plain("--junitxml=plain report.xml").expect(1)
    project.stest("--junitxml=warm report.xml").expect(1)
    assert results("warm report.xml") == results("plain report.xml")
    assert len(results("warm report.xml")) == 5


def test_cache_of_last_failures_works_across_runs(project: Project) -> None:
    project.write("test_it.py", SUITE)
    project.stest().expect(1)
    assert "1 failed" in project.stest("--last-failed").expect(1).text
    assert project.plain("--last-failed").expect(1).text.count("passed") == 0


def test_subfolder_is_the_working_directory(project: Project) -> None:
    project.write("conftest.py", "def pytest_report_header(): return 'from the root'")
    project.write("tests/deep/test_it.py", "import os\ndef test(): print(os.getcwd())")
    plain = project.plain("-s", "test_it.py", cwd="tests/deep").expect(0)
    warm = project.stest("-s", "test_it.py", cwd="tests/deep")
    assert_same(warm, plain)
    assert re.search(f"^rootdir: {project.root}(,|$)", warm.text, re.M)
    assert str(project.root / "tests/deep") in warm.text
    assert not (project.root / "tests/deep/.sprintest").exists()


def test_nested_configuration_is_a_project_of_its_own(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\n")
    project.write("test_it.py", "def test(): pass")
    assert "configfile: pytest.ini" in project.stest().expect(0).text


@pytest.mark.parametrize("folder", ["with space", "ünïcödé-名前", "it's $HOME; *"])
def test_unusual_folder_names(project: Project, folder: str) -> None:
    project.write(f"{folder}/test_ü b.py", SUITE)
    args = ("-v", f"{folder}/test_ü b.py", "-p", "no:cacheprovider")
    assert_same(project.stest(*args), project.plain(*args).expect(1))


def test_invalid_utf8_in_arguments_and_variables(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, sys

        def test():
            seen = [os.fsencode(sys.argv[-1]), os.environb[b"ODD"], os.environb[b"ODD\\xfe"]]
            os.write(1, b"|".join(seen))
        """,
    )
    bytes_ = os.fsdecode(b"\xff\xfe\x80 tail")
    odd = {"ODD": bytes_, os.fsdecode(b"ODD\xfe"): "named"}
    args = ("-s", "-q", "test_it.py", f"--deselect={bytes_}")
    warm = project.stest(*args, env=odd).expect(0)
    assert b"--deselect=\xff\xfe\x80 tail|\xff\xfe\x80 tail|named" in warm.out
    assert_same(warm, project.plain(*args, env=odd))


def test_long_argument_list(project: Project) -> None:
    names = "\n".join(f"def test_{number:04}(): pass" for number in range(2000))
    project.write("test_it.py", names)
    chosen = [f"test_it.py::test_{number:04}" for number in range(0, 2000, 2)]
    assert "1000 passed" in project.stest("-q", *chosen).expect(0).text


@pytest.mark.parametrize("umask", [0o22, 0o77, 0o002])
def test_umask_of_the_client_rules_the_files_made(project: Project, umask: int) -> None:
    project.write("test_it.py", "def test(): open('made', 'w').close()")
    project.stest(umask=umask).expect(0)
    assert (project.root / "made").stat().st_mode & 0o777 == 0o666 & ~umask
