"""The page in a real browser, where one is installed: sorting, filtering, legends, phone width, no errors."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from paribus.report import report

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--virtual-time-budget=5000",
)
USE = """<script>
const table = document.getElementById("runs-table"), heads = [...table.tHead.rows[0].cells];
const place = heads.findIndex(head => head.textContent === "mae"), sort = heads[place].querySelector("button");
const shown = () => [...table.tBodies[0].rows].map(row => row.cells[place].textContent);
const told = () => document.getElementById("runs-count").textContent, seen = {};
sort.click(); seen.ascending = shown(); seen.state = heads[place].getAttribute("aria-sort");
sort.click(); seen.descending = shown();
const filter = document.getElementById("runs-filter"), menu = document.querySelector("#runs-tools select");
filter.value = "tukey memory"; filter.dispatchEvent(new Event("input")); seen.filtered = told();
filter.value = ""; menu.value = "huber"; menu.dispatchEvent(new Event("change")); seen.chosen = told();
document.getElementById("runs-more").click(); seen.rows = table.tBodies[0].rows.length;
document.querySelector(".legend button").click();
seen.alone = document.querySelectorAll("figure.focused .on").length;
seen.width = document.documentElement.scrollWidth;
document.title = JSON.stringify(seen);
</script></body>"""
PHONE = """<body style="margin:0"><iframe src="used.html" style="width:375px;height:900px;border:0"></iframe>
<script>const page = document.querySelector("iframe");
setTimeout(() => document.title = page.contentDocument.title, 2000)</script></body>"""


def seen_in(page: Path, profile: Path) -> dict[str, Any]:
    assert BROWSER is not None
    command = [BROWSER, *SWITCHES, f"--user-data-dir={profile}", "--dump-dom", page.resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    return dict(json.loads(html.unescape(title[1])))


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_page_works_in_a_browser(robust_folder: Path, tmp_path: Path) -> None:
    text = report(robust_folder).page.read_text()
    (tmp_path / "used.html").write_text(text.replace("</body>", USE))
    (tmp_path / "phone.html").write_text(PHONE)
    for name, width in (("used.html", 2000), ("phone.html", 375)):
        seen = seen_in(tmp_path / name, tmp_path / "profile")
        ascending, descending = ([float(cell) for cell in seen[way]] for way in ("ascending", "descending"))
        assert len(ascending) == 50
        assert ascending == sorted(ascending)
        assert descending == sorted(descending, reverse=True)
        assert descending[0] > ascending[-1]
        assert seen["state"] == "ascending"
        assert seen["filtered"] == "1 of 600 rows"
        assert seen["chosen"] == "100 of 600 rows"
        assert seen["rows"] == 100
        assert seen["alone"] > 5
        assert seen["width"] <= width
