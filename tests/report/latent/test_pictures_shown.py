"""Pictures of runs in the report: arms side by side, within a budget, and nothing but images of hostile records."""

import base64
import io
import json
import re
import struct
import zlib
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from paribus.report import report
from paribus.report.arrangement import arrange
from paribus.report.collect import collect
from paribus.report.latent import Bars, Latent, bars_of
from paribus.report.latent_panels import BarPanel, CodeMap
from paribus.report.lettering import text_width
from paribus.report.pictures import MOST_TEXT, picture_figures
from paribus.report.png import MOST_PIXELS, checked_png
from paribus.study.records import FIT_FILE

BETA = {"objective.beta": [0.5, 1.0, 4.0]}


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_png_keeps_its_pixels_and_nothing_else(latent: ModuleType) -> None:
    pixels = latent.sheet(8, 4, 8, 0)
    png = checked_png(base64.b64encode(latent.png_of(pixels)).decode())
    assert png is not None
    assert (png.width, png.height) == (73, 37)
    assert (pixels_of(png.data) == pixels).all()
    assert b"tEXt" not in png.data
    assert base64.b64decode(png.uri().removeprefix("data:image/png;base64,"), validate=True) == png.data
    assert (pixels_of(png.enlarged(3)) == np.kron(pixels, np.ones((3, 3)))).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA"])
def test_every_kind_of_png_is_an_image(mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (5, 3)).save(stream, "PNG")
    png = checked_png(base64.b64encode(stream.getvalue()).decode())
    assert png is not None
    assert pixels_of(png.data).shape[:2] == (3, 5)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def broken(whole: bytes) -> dict[str, Any]:
    """Texts that are no picture, by what is wrong with them."""
    text = base64.b64encode(whole).decode()
    gif = io.BytesIO()
    Image.new("L", (2, 2)).save(gif, "GIF")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    bomb = whole[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return {
        "markup": '"><script>alert(1)</script>',
        "not base64": text[:40] + "<" + text[41:],
        "line breaks": text[:40] + "\n" + text[40:],
        "a word that is no ASCII": "ä" + text,
        "no text": 7,
        "missing": None,
        "empty": "",
        "a web page": base64.b64encode(b"<html><script>alert(1)</script></html>").decode(),
        "an SVG": base64.b64encode(b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>').decode(),
        "a GIF": base64.b64encode(gif.getvalue()).decode(),
        "cut off": base64.b64encode(whole[:60]).decode(),
        "the signature alone": base64.b64encode(whole[:8]).decode(),
        "a spoilt check sum": base64.b64encode(whole[:30] + b"\0\0" + whole[32:]).decode(),
        "too many pixels": base64.b64encode(bomb).decode(),
        "too long": "A" * (4 * MOST_PIXELS),
    }


def test_what_is_no_picture_is_refused(latent: ModuleType) -> None:
    for what, text in broken(latent.png_of(latent.sheet(2, 2, 8, 0))).items():
        assert checked_png(text) is None, what


def test_a_file_after_the_image_is_cut_off(latent: ModuleType) -> None:
    whole = latent.png_of(latent.sheet(2, 2, 8, 0)) + b"<script>alert(1)</script>"
    png = checked_png(base64.b64encode(whole).decode())
    assert png is None or b"script" not in png.data


WRONG = [
    "", "[]", "7", '{"kind": "curve"}', '{"kind": "latent"}', '{"kind": "latent", "pictures": {"a": 1}}',
    '{"kind": "latent", "pictures": [7, {"png": "AAAA"}, {"name": "a", "png": "AAAA"}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [[1, 2]], "classes": ["x"]}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [[1, 2, 1]], "classes": ["x"]}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [[1, NaN, 0]], "classes": ["x"]}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [[1, 2, true]], "classes": ["x", "y"]}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [], "classes": []}]}',
    '{"kind": "latent", "maps": [{"name": "a", "points": [[1, 2, 0]], "classes": 3}]}',
    '{"kind": "latent", "bars": [{"name": "a", "values": ["x"]}, {"name": "b", "values": []}, {"values": [1]}]}',
    '{"kind": "latent", "bars": [{"name": ["a"], "values": [1]}, {"name": "b", "values": [1e999]}]}',
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_drawing_of_a_latent_model_is_not_drawn(tmp_path: Path, text: str) -> None:
    (tmp_path / FIT_FILE).write_text(text)
    assert not Latent.read(tmp_path / FIT_FILE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, latent: ModuleType) -> Path:
    factors = {"objective.free_nats": [0.0, 0.5], **BETA}
    return latent.write_latent_study(tmp_path_factory.mktemp("runs") / "pictures", factors, seeds=3)


def figures_of(folder: Path) -> list[Any]:
    collected = collect(folder)
    return picture_figures(collected, arrange(collected.study))


def test_a_row_is_one_kind_of_picture_of_all_arms(folder: Path, latent: ModuleType) -> None:
    figures = figures_of(folder)
    assert [figure.title for figure in figures[:5]] == [
        "Reconstructions, problem: digits", "Samples of the prior, problem: digits", "Traversals, problem: digits",
        "Codes of test images, problem: digits", "Rate by feature (nats), problem: digits",
    ]  # fmt: skip
    assert [figure.title.split("problem: ")[1] for figure in figures[5:]] == ["mnist5k"] * 5
    first = figures[0]
    assert [image.label for image in first.images] == ["free_nats: 0", "free_nats: 0.5"]
    assert first.caption == "Odd rows: test images; even rows: their reconstructions. Of seed 0, at beta = 1."
    for image in first.images:
        assert (pixels_of(image.png.data) == latent.sheet(8, 4, 8, 0)).all()


def test_a_lone_numeric_factor_stands_side_by_side(tmp_path: Path, latent: ModuleType) -> None:
    figures = figures_of(latent.write_latent_study(tmp_path, BETA, ("digits",), 2))
    assert [image.label for image in figures[0].images] == ["beta: 0.5", "beta: 1", "beta: 4"]
    assert figures[1].caption == "Of seed 0."


def test_every_data_set_is_shown_before_a_second_cell_of_one(tmp_path: Path, latent: ModuleType) -> None:
    factors = {"objective.ramp": [0.0, 0.5], "objective.free_nats": [0.0, 0.5], **BETA}
    claim = {"id": "a", "kind": "better", "metric": "distortion", "arm": {"objective.free_nats": 0.0},
             "than": {"objective.free_nats": 0.5}}  # fmt: skip
    figures = figures_of(latent.write_latent_study(tmp_path, factors, seeds=1, study={"claims": [claim]}))
    places = list(dict.fromkeys(figure.title.partition(", ")[2] for figure in figures))
    assert places == ["ramp: 0, problem: digits", "ramp: 0, problem: mnist5k", "ramp: 0.5, problem: digits"]
    assert figures[-1].note == "1 more cell left out."


def test_all_arms_are_of_one_replicate(tmp_path: Path, latent: ModuleType) -> None:
    folder = latent.write_latent_study(tmp_path, BETA, ("digits",), 2)
    lost = next(
        path for path in folder.glob("*/run.json")
        if (record := json.loads(path.read_text()))["seed"] == 0 and record["config"]["objective"]["beta"] == 4.0
    )  # fmt: skip
    (lost.parent / FIT_FILE).unlink()
    figures = figures_of(folder)
    assert len(figures[0].images) == 3
    assert figures[1].caption == "Of seed 1."


class Images(HTMLParser):
    """The attributes of every image of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append({name: value or "" for name, value in attrs})


def images_of(page: Path) -> list[dict[str, str]]:
    parser = Images()
    parser.feed(page.read_text())
    return parser.found


def test_the_page_shows_them_with_words_for_those_who_cannot_see(folder: Path, latent: ModuleType) -> None:
    files = report(folder)
    images = images_of(files.page)
    assert len(images) == 2 * 3 * 2
    assert images[0]["alt"] == "Reconstructions, free_nats: 0, problem: digits"
    assert (images[0]["width"], images[0]["height"]) == (str(4 * 73), str(4 * 37))
    assert all(2 * 73 <= int(image["width"]) <= 600 for image in images)
    for image in images:
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        assert Image.open(io.BytesIO(data)).format == "PNG"
    text = files.page.read_text()
    assert text.index('id="comparisons"') < text.index('<section id="pictures"') < text.index('id="failures"')
    assert 'href="#pictures"' in text
    names = {path.name for path in files.figures if path.suffix == ".png"}
    assert len(names) == 12
    assert "pictures-free_nats-0-reconstructions-1.png" in names
    written = pixels_of((folder / "figures" / "pictures-free_nats-0-reconstructions-1.png").read_bytes())
    assert (written == np.kron(latent.sheet(8, 4, 8, 0), np.ones((4, 4)))).all()
    assert {"maps-codes-1.svg", "bars-rate_by_feature-2.svg"} <= {path.name for path in files.figures}
    for path in files.figures:
        if path.suffix == ".svg":
            ElementTree.fromstring(path.read_text())


def test_a_page_does_not_grow_without_bound(tmp_path: Path, latent: ModuleType) -> None:
    folder = latent.write_latent_study(tmp_path, BETA, ("digits",), 2, pictures=False)
    noise = np.random.default_rng(0).integers(0, 256, (200, 300))
    for path in folder.glob("*/run.json"):
        drawing = {"kind": "latent", "pictures": [latent.picture(f"p{n}", noise, f"Noise {n}") for n in range(6)]}
        (path.parent / FIT_FILE).write_text(json.dumps(drawing))
    figures = figures_of(folder)
    assert sum(len(image.png.uri()) for figure in figures for image in figure.images) <= MOST_TEXT
    assert [figure.title for figure in figures] == ["Noise 0", "Noise 1"], "whole rows"
    assert "4 more rows of pictures left out" in figures[-1].note


HOSTILE = "</figcaption><script>alert('x')</script>\"><!--{{ 7*7 }}"


def test_hostile_drawings_get_no_markup_into_the_page(tmp_path: Path, latent: ModuleType) -> None:
    folder = latent.write_latent_study(tmp_path, BETA, ("digits",), 2)
    whole = latent.png_of(latent.sheet(2, 2, 8, 0))
    good = {"name": HOSTILE, "title": HOSTILE, "caption": HOSTILE, "png": base64.b64encode(whole).decode(),
            "width": HOSTILE, "height": HOSTILE}  # fmt: skip
    for path in folder.glob("*/run.json"):
        pictures = [{**good, "name": f"{HOSTILE}{what}", "png": text} for what, text in broken(whole).items()]
        drawing = {
            "kind": "latent", "pictures": [good, *pictures],
            "maps": [{**good, "points": [[0, 1, 0], [1, 0, 1]], "classes": [HOSTILE, "b"]}],
            "bars": [{**good, "values": [1.0, 2.0], "labels": ["<script>", "<!--"]}],
        }  # fmt: skip
        (path.parent / FIT_FILE).write_text(json.dumps(drawing))
    files = report(folder)
    text = files.page.read_text()
    assert text.count("<script") == 2, "the runs' data and the page's own script"
    assert "<!--" not in text
    assert len(images_of(files.page)) == 3, "the one good picture of each arm"
    assert all(image["src"].startswith("data:image/png;base64,") for image in images_of(files.page))
    assert all(path.parent == folder / "figures" and path.suffix in (".svg", ".png") for path in files.figures)
    assert all("<script" not in path.read_text() for path in files.figures if path.suffix == ".svg")


def test_codes_lie_where_they_are_in_units_alike(latent: ModuleType) -> None:
    points = ((0.0, 0.0, 0), (4.0, 1.0, 1), (2.0, -1.0, 9))
    panel = CodeMap(points, [str(digit) for digit in range(10)], "one", "said")
    per_unit = panel.inner_width / (panel.x.high - panel.x.low), panel.inner_height / (panel.y.high - panel.y.low)
    assert per_unit[0] == pytest.approx(per_unit[1])
    drawn = "".join(panel.marks)
    for (x, y, _), style in zip(points, ("speck stroke0", "speck stroke1", "stitch stroke1"), strict=True):
        (found,) = re.findall(rf'class="{style}" d="M([-\d.]+),([-\d.]+)', drawn)
        assert (float(found[0]), float(found[1])) == pytest.approx(panel.at(x, y), abs=0.06)


def test_bars_are_as_high_as_their_values() -> None:
    panel = BarPanel(Bars((2.0, 0.0, 1.0)), 0.0, 2.0, 3, "arm", "said")
    heights = [float(each) for each in re.findall(r'<rect class="fill3"[^>]* height="([\d.]+)"', "".join(panel.marks))]
    assert heights[0] == pytest.approx(2 * heights[2], abs=0.1)
    assert heights[1] == 0
    whole = BarPanel(Bars((-1.0, 1.0)), -1.0, 1.0, 0, "", "")
    tops = re.findall(r'y="([\d.]+)"[^>]* height="([\d.]+)"', "".join(whole.marks))
    assert float(tops[1][0]) + float(tops[1][1]) == pytest.approx(float(tops[0][0]), abs=0.11), "both start at zero"


def ticks_of(panel: BarPanel) -> dict[str, float]:
    """The texts under the bars, by where they stand."""
    drawn = ElementTree.fromstring(panel.svg())
    found = [each for each in drawn.iter("text") if each.get("class") == "tick" and each.get("text-anchor") == "middle"]
    return {each.text or "": float(each.attrib["x"]) for each in found}


def test_bars_of_classes_are_under_their_names() -> None:
    digits = tuple(str(digit) for digit in range(10))
    panel = BarPanel(Bars((0.125,) * 10, digits), 0.0, 0.1, 0, "arm", "said")
    ticks = ticks_of(panel)
    assert tuple(ticks) == digits
    for place, (digit, across) in enumerate(ticks.items(), start=1):
        assert across == pytest.approx(panel.left + panel.at(place, 0)[0], abs=0.06)
        assert f"<title>{digit}: 0.125</title>" in panel.marks[place - 1]
    assert tuple(ticks_of(BarPanel(Bars((0.125,) * 10), 0.0, 0.1, 0, "arm", "said"))) == ("1", "3", "5", "7", "9")


@pytest.mark.parametrize("count", [1, 2, 3, 10, 50])
@pytest.mark.parametrize("label", ["setosa", "W" * 16])
def test_names_of_bars_stay_apart_and_in_the_panel(label: str, count: int) -> None:
    labels = tuple(f"{place}{label}"[:16] for place in range(count))
    panel = BarPanel(Bars((1.0,) * count, labels), 0.0, 1e6, 0, "arm", "said")
    ends = [(x - text_width(text) / 2, x + text_width(text) / 2) for text, x in ticks_of(panel).items()]
    assert ends
    assert set(ticks_of(panel)) <= set(labels)
    assert ends[0][0] >= 0
    assert ends[-1][1] <= panel.width
    assert all(right < left for (_, right), (left, _) in pairwise(ends))


def test_labels_of_bars_are_short_plain_texts_one_for_each() -> None:
    assert bars_of({"values": [1, 2], "labels": ["a", "<b>"]}) == Bars((1.0, 2.0), ("a", "<b>"))
    for wrong in (
        None,
        "ab",
        ["a"],
        ["a", "b", "c"],
        ["a", 2],
        ["a", " "],
        ["a", "b" * 17],
        ["a", "b\n"],
        ["a", "\u202e"],
    ):
        assert bars_of({"values": [1, 2], "labels": wrong}) == Bars((1.0, 2.0)), wrong
