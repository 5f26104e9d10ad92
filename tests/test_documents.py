"""What we tell users to type runs: the README's Python, the examples, the docstrings."""

from __future__ import annotations

import doctest
import re
import runpy
from pathlib import Path

import pytest

import bayeslogit._fit
import bayeslogit._priors

ROOT = Path(__file__).parent.parent


def test_the_readmes_python_runs_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert "arsenic" in capsys.readouterr().out
    assert (tmp_path / "wells.html").exists() and (tmp_path / "wells.json").exists()


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_examples_run(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / script))
    out = capsys.readouterr().out
    assert out and ("Report:" in out) == (script == "wells.py")


@pytest.mark.parametrize("module", [bayeslogit._fit, bayeslogit._priors])
def test_docstring_examples_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0
