"""The finder of a usable Python and the maker of the environment (tools/), on machines made of fake programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"
REAL = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
SHIM = '#!/bin/sh\necho "pyenv: $(basename "$0"): command not found" >&2\nexit 127\n'
OLD = "#!/bin/sh\necho 'is Python 3.11'\nexit 3\n"  # what the check says in a Python 3.11

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tools are POSIX shell scripts")


class Machine:
    """A folder of programs that is the whole PATH, with an empty home beside it."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.home = folder / "home"
        self.bin.mkdir()
        self.home.mkdir()
        for name in ("cat", "sh", "basename"):
            program = shutil.which(name)
            assert program is not None
            self.program(name, program)

    def program(self, name: str, target: str, folder: Path | None = None) -> Path:
        """Put a program there: a script when `target` starts with "#!", else one that runs the target."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(target if target.startswith("#!") else f'#!/bin/sh\nexec "{target}" "$@"\n')
        path.chmod(0o755)
        return path

    def find(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the finder with nothing in the environment but PATH and HOME, and what is given."""
        return subprocess.run(
            ["/bin/sh", str(TOOLS / "find-python"), *arguments],
            env={"PATH": str(self.bin), "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def found(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return os.path.realpath(result.stdout.strip())


def test_a_broken_shim_is_skipped(machine):
    for name in ("python3.14", "python3.13", "python3.12"):
        machine.program(name, SHIM)
    machine.program("python3", REAL)
    result = machine.find()
    assert found(result) == REAL
    assert result.stderr == ""


def test_an_old_python_is_skipped_for_the_one_under_pyenv(machine):
    machine.program("python3", OLD)
    machine.program("python3", OLD, machine.home / ".pyenv/versions/3.11.7/bin")
    machine.program("python3", REAL, machine.home / ".pyenv/versions/3.12.1/bin")
    assert found(machine.find()) == REAL


def test_the_check_itself_refuses_an_old_python(machine):
    """The check runs in the candidate; here in a Python that is told to be 3.11 before it starts."""
    site = machine.home / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 11, 7, 'final', 0)\n")
    machine.program("python3", REAL)
    result = machine.find(PYTHONPATH=str(site))
    assert result.returncode == 1
    assert "python3 is Python 3.11\n" in result.stderr


def test_a_python_without_ensurepip_is_skipped(machine):
    """Debian's python3 has the module venv but not ensurepip until python3-venv is installed."""
    site = machine.home / "site"
    site.mkdir()
    (site / "ensurepip.py").write_text("raise ModuleNotFoundError('no', name='ensurepip')\n")
    machine.program("python3", REAL)
    result = machine.find(PYTHONPATH=str(site))
    assert result.returncode == 1
    assert f"python3 is Python {VERSION} without the module ensurepip" in result.stderr
    assert "apt install python3 python3-venv" in result.stderr


def test_the_variable_python_comes_first(machine):
    machine.program("python3.14", "#!/bin/sh\necho /not/this/one\n")
    mine = machine.program("mine", REAL, machine.home)
    assert found(machine.find(PYTHON=str(mine))) == REAL


def test_an_unfit_variable_python_is_said_and_skipped(machine):
    machine.program("python3", REAL)
    result = machine.find(PYTHON="/nowhere/python3")
    assert found(result) == REAL
    assert result.stderr == "find-python: PYTHON=/nowhere/python3 is not there; looking for another\n"


def test_from_inside_an_environment_the_python_below_is_named(machine):
    """The environment may be the one that is about to be rebuilt."""
    if sys.prefix == sys.base_prefix:
        pytest.skip("these tests do not run in a virtual environment")
    machine.program("python3", sys.executable)
    assert found(machine.find()) == REAL


def test_uv_is_asked_last_and_may_fail(machine):
    machine.program("python3", SHIM)
    machine.program("uv", f'#!/bin/sh\n[ "$*" = "python find --system >=3.12,<3.15" ] && echo "{REAL}"\n')
    assert found(machine.find()) == REAL
    machine.program("uv", "#!/bin/sh\nexit 2\n")
    result = machine.find()
    assert result.returncode == 1
    assert "uv python find knows none" in result.stderr


def test_one_version_can_be_asked_for(machine):
    machine.program("python3", REAL)
    assert found(machine.find(VERSION)) == REAL
    other = "3.14" if VERSION != "3.14" else "3.13"
    result = machine.find(other)
    assert result.returncode == 1
    assert f"needs Python {other} with" in result.stderr


def test_nothing_found_says_what_was_tried_and_what_to_install(machine):
    machine.program("python3.13", SHIM)
    machine.program("python3", OLD)
    result = machine.find()
    assert result.returncode == 1
    assert result.stdout == ""
    for line in (
        "no usable Python found. bayeslogit needs Python 3.12, 3.13 or 3.14",
        "python3.14 is not there",
        "python3.13 is there but does not run (exit status 127)",
        "python3 is Python 3.11",
        "apt install python3 python3-venv",
        "uv python install 3.13",
        "make test PYTHON=/path/to/python3",
    ):
        assert line in result.stderr


FAKE_PYTHON = """#!/bin/sh
# plays the system's Python and, copied into it, the one of the environment
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo made >>log ;;
    "-m pip") shift 3; echo "install $*" >>log; [ ! -e broken ] || exit 1 ;;
    "--version "*) echo Python 3.13.0 ;;
esac
"""


class Tree:
    """A source tree whose finder names a fake Python that only writes down what it is asked to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools").mkdir(parents=True)
        shutil.copy(TOOLS / "environment", folder / "tools/environment")
        python = folder / "fake-python"
        for path, text in ((python, FAKE_PYTHON), (folder / "tools/find-python", f"#!/bin/sh\necho '{python}'\n")):
            path.write_text(text)
            path.chmod(0o755)
        (folder / "pyproject.toml").write_text("[project]\n")

    def make(self, level: str) -> list[str]:
        """What was done to reach the level: "made" and the arguments of each `pip install`, without --quiet."""
        log = self.folder / "log"
        log.write_text("")
        subprocess.run(["/bin/sh", "tools/environment", level], cwd=self.folder, check=True, capture_output=True)
        return [line.replace(" --quiet", "") for line in log.read_text("utf-8").splitlines()]


NEW = ["made", "install --upgrade pip>=25.1"]
PACKAGE = "install --editable ."
DEVELOP = "install --editable . --group dev"


def test_the_environment_is_made_once_for_each_level(tmp_path):
    tree = Tree(tmp_path / "tree")
    assert tree.make("package") == [*NEW, PACKAGE]
    assert tree.make("package") == []
    assert tree.make("develop") == [DEVELOP]
    assert tree.make("develop") == []
    assert tree.make("package") == []  # the higher level holds the lower


def test_a_changed_pyproject_or_a_moved_tree_is_built_anew(tmp_path):
    tree = Tree(tmp_path / "tree")
    tree.make("develop")
    (tree.folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert tree.make("develop") == [*NEW, DEVELOP]
    moved = tree.folder.rename(tmp_path / "moved")
    (moved / "tools/find-python").write_text(f"#!/bin/sh\necho '{moved / 'fake-python'}'\n")
    tree.folder = moved
    assert tree.make("develop") == [*NEW, DEVELOP]


@pytest.mark.parametrize("level", ["package", "develop"])
def test_an_interrupted_installation_is_built_anew(tmp_path, level):
    tree = Tree(tmp_path / "tree")
    if level == "develop":
        tree.make("package")
    (tree.folder / "broken").touch()
    with pytest.raises(subprocess.CalledProcessError):
        tree.make(level)
    (tree.folder / "broken").unlink()
    assert tree.make("package") == [*NEW, PACKAGE]


def test_an_environment_whose_python_is_gone_is_built_anew(tmp_path):
    tree = Tree(tmp_path / "tree")
    tree.make("package")
    (tree.folder / ".venv/bin/python").unlink()
    assert tree.make("package") == [*NEW, PACKAGE]
