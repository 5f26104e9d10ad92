"""The committed gallery is that of these examples: by their hash in `make test`, by its numbers in `make prove`."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "reports"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    *("--allow-file-access-from-files", "--virtual-time-budget=8000"),
)


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed():
    return json.loads((REPORTS / "index.json").read_text(encoding="utf-8"))


def test_the_pages_were_made_from_these_sources(gallery, committed):
    assert committed["sources"] == gallery.source_hash(), (
        "reports/ is stale: run `make reports` and commit what it writes"
    )
    assert tuple(committed["pages"]) == gallery.ORDER
    assert sorted(gallery.ORDER) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


def test_every_link_of_the_index_leads_somewhere_and_every_page_is_linked():
    index = (REPORTS / "index.html").read_text(encoding="utf-8")
    links = {link for link in re.findall(r'href="([^"#]+)"', index) if not link.startswith("data:")}
    assert all((REPORTS / link).is_file() for link in links)
    assert {path.name for path in REPORTS.glob("*.html")} - {"index.html"} == {
        link for link in links if "/" not in link
    }


def test_pages_are_small_whole_and_ask_for_nothing(committed):
    for path in REPORTS.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert path.stat().st_size < (600_000 if path.name == "calibration.html" else 400_000), path.name
        assert text.endswith("</html>\n") or text.endswith("</html>")
        assert "<script" not in text and not re.search(r'src="(?!data:)|@import|url\(', text)


def test_the_numbers_of_an_index_entry_are_those_of_its_page(gallery, committed):
    # What is kept for the comparison stands on the page a reader sees: the odds ratio of distance, to three digits.
    cells = committed["pages"]["wells"]["results/coefficients"]
    text = (REPORTS / "wells.html").read_text(encoding="utf-8")
    assert any(cell is not None and f"{cell:.3f}" == "0.408" for cell in cells) and "0.408" in text


def test_numbers_are_read_row_by_row_and_what_is_no_number_is_none(gallery):
    columns = [{"key": "term", "kind": "text"}, {"key": "a", "kind": "number"}, {"key": "b", "kind": "percent"}]
    table = {"kind": "table", "name": "t", "columns": columns, "rows": [{"term": "x", "a": 1 / 3, "b": None}]}
    words = {"kind": "paragraph", "text": "no numbers"}
    document = {"sections": [{"id": "results", "body": [words, table]}]}
    assert gallery._numbers(document) == {"results/t": [0.333333, None]}
    assert gallery._rounded(True) is None and gallery._rounded(float("inf")) is None


@pytest.mark.prove
def test_making_the_gallery_again_gives_the_same_numbers(gallery, committed, tmp_path):
    made = gallery.make(tmp_path)
    assert list(made["pages"]) == list(committed["pages"])
    for name, tables in made["pages"].items():
        assert list(tables) == list(committed["pages"][name]), name
        for table, cells in tables.items():
            then = np.array(committed["pages"][name][table], dtype=float)
            np.testing.assert_allclose(
                np.array(cells, dtype=float), then, rtol=2e-5, atol=1e-8, err_msg=f"{name} {table}"
            )
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in REPORTS.iterdir()} - {
        "README.md",
        "demo",
        "calibration.html",
    }


@pytest.mark.prove
def test_no_page_is_wider_than_its_window_and_no_table_than_its_page(tmp_path):
    chromium = shutil.which("chromium")
    assert chromium, "make prove needs chromium"
    pages = sorted(REPORTS.glob("*.html"))
    # Pages forbid scripts to themselves; the one that holds them in frames, as narrow as a phone, measures.
    frames = "".join(
        f'<iframe src="{page.as_uri()}" data-width="{width}" style="width:{width}px;height:900px;border:0"></iframe>'
        for page in pages
        for width in (390, 800, 1440)
    )
    script = (
        "<script>onload = () => { document.title = Array.from(document.querySelectorAll('iframe'), frame => "
        "frame.dataset.width + ':' + frame.contentDocument.documentElement.scrollWidth + ':' + Array.from("
        "frame.contentDocument.querySelectorAll('.bl-table'), each => "
        "Math.max(each.scrollWidth - each.clientWidth, 0)).reduce((a, b) => Math.max(a, b), 0)).join(' ') }</script>"
    )
    (tmp_path / "all.html").write_text(f"<body>{frames}{script}</body>", encoding="utf-8")
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", (tmp_path / "all.html").as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout
    measured = [tuple(map(int, each.split(":"))) for each in re.search(r"<title>(.*?)</title>", shown)[1].split()]
    assert len(measured) == 3 * len(pages) and all(content <= window for window, content, _ in measured)
    # A table may be scrolled on a phone, where a name does not fit; on a tablet and on a desk it fits its page.
    assert [each for each in measured if each[0] >= 800 and each[2] > 0] == []
