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
