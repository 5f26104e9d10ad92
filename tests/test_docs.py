"""The README and the pages of docs/ run and print what they say; the API reference is that of the docstrings."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest

import bayeslogit as bl
from bayeslogit.cli import run

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
STALE = "run `make docs`, look at what it changed, and commit it"
_NUMBER = re.compile(r"[-−]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def docs():
    return loaded("docs")


def numbers(text):
    return [float(found.replace(",", "").replace("−", "-")) for found in _NUMBER.findall(text)]


def differences(told, found):
    """What two texts differ in beyond the last digits that another machine may print."""
    words = [[re.sub(r"[─\s]+", " ", part) for part in _NUMBER.split(text)] for text in (told, found)]
    if words[0] != words[1]:
        return [(one, other) for one, other in zip(told.splitlines(), found.splitlines(), strict=False) if one != other]
    pairs = zip(numbers(told), numbers(found), strict=True)
    # A Monte-Carlo error is itself an estimate; all else agrees to three digits.
    return [pair for pair in pairs if pair[1] != pytest.approx(pair[0], rel=5e-3, abs=2e-3)]


def marked(page):
    """A page as a parameter; the tour calls everything once."""
    return pytest.param(page, marks=pytest.mark.slow) if page == "docs/tour.md" else page


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if page != "docs/api.md"])
def test_the_python_of_a_page_runs_and_prints_what_stands_there(page, docs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not differences(text, docs.filled(text, page)), f"{page}: {STALE}"
    if page == "README.md":
        assert (tmp_path / "wells.html").exists()


def test_a_wrong_answer_is_a_difference(docs):
    page = '```python\nprint("odds", 1.5)\n```\n\n```text\nodds 1.5\n```\n'
    assert docs.filled(page) == page and not differences(page, page.replace("1.5\n```", "1.5001\n```"))
    wrong = page.replace("odds 1.5\n", "odds 1.4\n")
    assert docs.filled(wrong) == page and differences(wrong, page)
    assert differences(page, page.replace("text\nodds", "text\nlog-odds"))


def test_every_answer_has_its_question_and_no_answer_is_empty():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert "```text\n```" not in text, f"{page}: {STALE}"


def test_the_commands_of_the_page_on_the_command_line_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert len(commands) >= 8 and all(command[0] == "bayeslogit" for command in commands)
    for command in commands:
        assert run(command[1:]) == 0, command
    capsys.readouterr()
    assert (tmp_path / "report.html").exists() and (tmp_path / "path.svg").exists()


def test_the_readmes_way_from_a_csv_to_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wells = bl.datasets.load("wells")[["switch", "dist100", "educ"]].head(300)
    names = {"switch": "ill", "dist100": "dose", "educ": "ward"}
    wells.rename(columns=names).to_csv("patients.csv", index=False)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\.venv/bin/bayeslogit (.*patients\.csv.*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert run(shlex.split(command)) == 0, command
    assert "Separation: none" in capsys.readouterr().out and (tmp_path / "report.html").exists()


def test_the_seconds_of_a_pass_that_are_planned_with_were_measured():
    text = (ROOT / "docs" / "larger-than-memory.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^READ, HELD = (\S+), (\S+)  # seconds a row", text, re.MULTILINE)
    measured = json.loads((ROOT / "benchmarks" / "scale.json").read_text(encoding="utf-8"))
    processor = [
        measured[rows]["stream"]["passed"][kind][1] / int(rows)
        for rows, kind in (("100000000", "expand"), ("1000000", "expand kept"))
    ]
    assert [float(number) for number in told] == pytest.approx(processor, rel=0.02)
    assert f"{measured['100000000']['stream']['peak'] / 1000:.2f} GB at 1e8 rows" in " ".join(text.split())


def test_the_api_reference_is_that_of_the_docstrings(docs):
    assert docs.api() == (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), f"docs/api.md: {STALE}"


def test_the_api_reference_has_every_public_name_and_every_link_a_heading(docs):
    text = docs.api()
    for name in set(bl.__all__) - {"datasets"}:
        assert f"\n## bl.{name}\n" in text
    anchors, seen = set(), {}
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(f"{base}-{seen[base]}" if base in seen else base)
        seen[base] = seen.get(base, 0) + 1
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors


def test_the_picture_is_that_of_our_charts(docs):
    told = (ROOT / "docs" / "picture.svg").read_text(encoding="utf-8")
    assert not differences(told, docs.picture()), STALE


@pytest.mark.parametrize("page", [*PAGES, "examples/README.md", "reports/README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files_of_the_repository(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing


def test_every_page_is_linked():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/README.md"))
    for page in PAGES[1:]:
        assert Path(page).name in text
    assert all(f"docs/{path.name}" in text or path.name in text for path in (ROOT / "docs").iterdir())
