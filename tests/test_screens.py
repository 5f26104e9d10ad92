"""The report in a real browser: no page is wider than its window, in light, dark and on a phone."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

import bayeslogit as bl

pytestmark = pytest.mark.prove

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    fit = bl.fit("switch ~ dist100 * arsenic + C(assoc) + poly(educ, 2)", bl.datasets.load("wells"))
    path = bl.report(fit, tmp_path_factory.mktemp("page") / "report.html", command="bayeslogit report")
    measured = "<script>document.title = [innerWidth, document.documentElement.scrollWidth].join(' ')</script></body>"
    # The page forbids scripts to itself; the copy that measures has to allow its one.
    text = re.sub(r"<meta[^>]*Content-Security-Policy[^>]*>", "", path.read_text(encoding="utf-8"))
    path.write_text(text.replace("</body>", measured), encoding="utf-8")
    return path


def test_nothing_is_wider_than_a_phone(page, tmp_path):
    chromium = shutil.which("chromium")
    assert chromium, "make prove needs chromium"
    frame = page.with_name("frame.html")  # a window of Chromium's cannot be as narrow as a phone, a frame in it can
    frame.write_text(
        f'<body><iframe src="{page.name}" style="width:390px;height:3000px;border:0" onload="'
        "const d = this.contentDocument.documentElement;"
        "document.title = [this.clientWidth, d.scrollWidth].join(' ')\"></iframe></body>",
        encoding="utf-8",
    )
    command = [chromium, *FLAGS, "--allow-file-access-from-files", f"--user-data-dir={tmp_path}"]
    command += ["--virtual-time-budget=3000", "--window-size=500,3000", "--dump-dom", frame.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    window, content = map(int, re.search(r"<title>(\d+) (\d+)</title>", shown).groups())
    assert window == 390 and content <= window


def test_it_prints_on_a_few_pages_with_nothing_cut(page, tmp_path):
    chromium, tool = shutil.which("chromium"), shutil.which("pdftotext")
    assert chromium and tool, "make prove needs chromium and pdftotext"
    pdf = tmp_path / "page.pdf"
    command = [chromium, *FLAGS, f"--user-data-dir={tmp_path}", "--no-pdf-header-footer", f"--print-to-pdf={pdf}"]
    subprocess.run([*command, page.as_uri()], capture_output=True, timeout=120, check=True)
    pages = subprocess.run([tool, "-layout", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    assert 5 <= pages.count("\f") <= 25
    said = " ".join(pages.split())
    for word in ("In short", "Average effects on the probability", "Reporting guidelines", "P(direction)", "Glossary"):
        assert word in said, word


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 800, 1440])  # headless Chromium makes no window below 500
def test_nothing_is_wider_than_the_window(page, tmp_path, width, scheme):
    chromium = shutil.which("chromium")
    assert chromium, "make prove needs chromium"
    command = [
        chromium,
        *FLAGS,
        f"--user-data-dir={tmp_path}",
        f"--window-size={width},2000",
        "--dump-dom",
        page.as_uri(),
    ]
    if scheme == "dark":
        command.insert(-2, "--blink-settings=preferredColorScheme=0")
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    window, content = map(int, re.search(r"<title>(\d+) (\d+)</title>", shown).groups())
    assert content <= window and abs(window - width) < 30
