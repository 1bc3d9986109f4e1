"""The report as one page, and what a browser makes of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from batchkit.core.states import RunState
from batchkit.reports.data import ReportData, Sample
from batchkit.reports.picture import picture
from batchkit.reports.report import write_report
from tests.support.report_samples import HOSTILE, outcome, realistic, refused, run_data

if TYPE_CHECKING:
    from playwright.sync_api import Page

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(HTMLParser):
    """Checks that tags close, and collects tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:  # noqa: D102
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:  # noqa: D102
        self.texts.append(data)


def read(data: ReportData, folder: Path) -> Reader:
    """The page of a run, taken apart."""
    reader = Reader()
    reader.feed(write_report(data, folder / "r.html").read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_tells_the_whole_story(tmp_path: Path) -> None:
    """Headline, next steps, top errors, failures with advice, conflicts with both values, settings."""
    said = " ".join(" ".join(read(realistic(), tmp_path).texts).split())
    assert "9,253 of 10,000 items were written" in said
    assert "batchkit undo companies-7f3a" in said
    assert "n'est pas un SIRET : il manque un chiffre" in said
    assert "Add the leading zero that a spreadsheet removed." in said
    assert "Café de l'Été" in said
    assert "CAFÉ DE L'ÉTÉ" in said
    assert "Café d’Hiver" in said
    assert "chunk_size" in said


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    """No script, no link to another file, no address that a browser would fetch."""
    reader = read(realistic(500), tmp_path)
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not [value for name, value in reader.attributes if name in {"src", "href", "srcset", "action"}]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_they_are(tmp_path: Path, text: str) -> None:
    """Texts from cells, settings and messages never become markup."""
    data = run_data(
        [outcome(0, **refused(text, text, text), key=text)],
        source=text, target=text, message=text, run=text, settings={text: text}, fix_file=text,
    )  # fmt: skip
    reader = read(data, tmp_path)
    assert "script" not in reader.tags
    shown = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text).replace("\r", "\n")
    assert shown.strip() in "".join(reader.texts).replace("\r", "\n")


def test_the_page_is_bounded(tmp_path: Path) -> None:
    """Of 30,000 failures with endless reasons it shows 1,000, cut, and says where the rest is."""
    rows = [outcome(i, **refused("long", f"{i} " + "x" * 5_000, "y" * 5_000)) for i in range(3_000)]
    data = run_data(rows, outcomes={"rejected": 30_000})
    path = write_report(data, tmp_path / "r.html")
    said = " ".join(path.read_text(encoding="utf-8").split())
    assert path.stat().st_size < 3_000_000
    assert said.count('<span class="badge rejected">') == 1_000
    assert "The first 1,000 of 30,000." in said
    assert "batchkit report companies-7f3a --to report.xlsx" in said


def test_the_picture_tells_its_figures_to_those_who_cannot_see_it() -> None:
    """The picture is an image with a title and a description in words."""
    drawn = ET.fromstring(picture([(0.0, 0, 0, 0, 0, None, 4), (60.0, 900, 50, 80, 20, 16.4, 4)]))  # noqa: S314
    assert drawn.attrib["role"] == "img"
    said = "After 1 min 00 s: 900 done, 50 unchanged, 80 rejected, 20 in conflict or unknown."
    assert said in "".join(drawn.itertext())


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [(0.0, 1, 0, 0, 0, None, 1)],
        [(5.0, 1, 0, 0, 0, 1.0, 1), (5.0, 2, 0, 0, 0, 1.0, 1)],
    ],
)
def test_a_run_too_short_to_draw_has_no_picture(samples: list[Sample]) -> None:
    """Less than two moments: no picture rather than a misleading one."""
    assert picture(samples) == ""


def test_what_was_as_wanted_is_drawn_as_that(tmp_path: Path) -> None:
    """What held the wanted values already has a colour of its own, and the key explains what is there."""
    samples: list[Sample] = [
        (0.0, 0, 40, 0, 0, 5.0, 1),
        (1.0, 5, 40, 0, 0, 5.0, 1),
        (2.0, 9, 45, 0, 0, 6.0, 1),
    ]
    reader = read(run_data([outcome(0)], samples=samples), tmp_path)
    drawn = [value for name, value in reader.attributes if name == "class"]
    assert [each for each in drawn if each.startswith("area")] == ["area done", "area unchanged"]
    assert [each for each in drawn if each.startswith("key")] == ["key done", "key unchanged", "key rate"]


def test_no_rate_is_drawn_where_none_is_known(tmp_path: Path) -> None:
    """A run of a second has no rate: there is no empty frame for it, and the key doesn't speak of it."""
    samples: list[Sample] = [(0.0, 0, 0, 0, 0, None, 1), (0.4, 9, 0, 0, 0, 3.0, 1)]
    text = write_report(run_data([outcome(0)], samples=samples), tmp_path / "r.html").read_text("utf-8")
    assert "Items per second" not in text
    assert "items per second" not in text
    assert text.count('class="tick middle"') > 1  # the time is still marked


@pytest.mark.parametrize("end", [0.3, 1.0, 59.0, 61.0, 3_600.0, 100_000.0, 1e7])
def test_any_length_of_run_is_drawn_inside_its_frame(end: float) -> None:
    """Few time marks whatever the length, and no point outside the picture."""
    drawn = picture([(0.0, 0, 0, 0, 0, 0.0, 1), (end / 2, 5, 3, 1, 0, 7.3, 1), (end, 10, 3, 1, 2, None, 1)])
    root = ET.fromstring(drawn)  # noqa: S314 - ours
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for path in root.iter("path"):
        numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", path.attrib["d"])]
        assert all(0 <= number <= max(width, height) for number in numbers)
    assert 2 <= drawn.count('class="tick middle"') <= 10


def test_a_pause_breaks_the_line_of_the_rate() -> None:
    """Where the rate is unknown nothing is drawn."""
    rates = [5.0, 6.0, None, 7.0, 8.0]
    drawn = picture([(float(i), i, 0, 0, 0, rate, 1) for i, rate in enumerate(rates)])
    assert drawn.count('class="rate"') == 2


CONTRASTS = """
() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const ground = node => {
    for (; node; node = node.parentElement) {
      const c = parse(getComputedStyle(node).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || node.closest('title, desc')) continue;
    const style = getComputedStyle(node);
    const a = light(parse(node.closest('svg') ? style.fill : style.color)), b = light(ground(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([node.className, walk.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return poor;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_readable_in_a_browser(tmp_path: Path, page: Page, scheme: str) -> None:
    """In light and dark every text has a contrast of 4.5 at least, nothing is fetched, nothing complains."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    data = realistic(3_000)
    for state in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED):
        facts = {name: getattr(data, name) for name in data.__slots__} | {
            "state": state,
            "message": "So it went.",
        }
        path = write_report(ReportData(**facts), tmp_path / f"{state}.html")
        page.goto(path.as_uri())
        assert page.evaluate(CONTRASTS) == []
    assert len(asked) == 3
    assert said == []


def test_the_page_fits_a_narrow_screen(tmp_path: Path, page: Page) -> None:
    """On a phone the page itself never scrolls sideways."""
    page.set_viewport_size({"width": 400, "height": 800})
    page.goto(write_report(realistic(3_000), tmp_path / "r.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_commands_look_as_they_are_typed(tmp_path: Path) -> None:
    """What to do next shows commands as code, however hostile the name of the run is."""
    rows = [outcome(0), outcome(1, "unknown")]
    text = write_report(run_data(rows), tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<code>batchkit undo companies-7f3a</code>" in text
    assert "<code>batchkit resume companies-7f3a --settle done</code>" in text
    text = write_report(run_data(rows, run="<b>x</b>"), tmp_path / "b.html").read_text(encoding="utf-8")
    assert "<b>x" not in text


def test_a_dry_run_claims_nothing(tmp_path: Path) -> None:
    """Nowhere does the report of a dry run say that something was written at the target."""
    text = write_report(run_data([outcome(0)], dry_run=True), tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Would be written at the target." in text
    assert "Written at the target." not in text
