"""Reports as files: formats by suffix, CSV and JSON, whole or not at all."""

from __future__ import annotations

import csv
import errno
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import DiskFull, UsageError
from batchkit.core.guards import unguard
from batchkit.core.states import RunState
from batchkit.reports.report import FORMATS, write_fix_file, write_report
from tests.support.needs import missing
from tests.support.report_samples import HOSTILE, START, outcome, realistic, refused, run_data


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV report, as Python's own module reads them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, check=False, capture_output=True).returncode:
        missing("only root on Linux can mount a tiny disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("suffix", FORMATS)
def test_each_format_is_written_where_it_was_asked(tmp_path: Path, suffix: str) -> None:
    """The suffix decides, in either case, and nothing else is left in the folder."""
    path = tmp_path / f"report{suffix.upper()}"
    assert write_report(realistic(300), path) == path
    assert path.stat().st_size > 1_000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", FORMATS)
def test_no_report_takes_the_place_of_what_must_stay(tmp_path: Path, suffix: str) -> None:
    """The source, by another name or through a link, is refused with its name, and stays to the byte."""
    source = tmp_path / f"source{suffix}"
    source.write_bytes(b"id;nom")
    link = tmp_path / f"link{suffix}"
    link.symlink_to(source)
    data = realistic(10)
    data = replace(data, kept={source: "the source of this run"})
    for path in (source, tmp_path / "." / source.name, link):
        with pytest.raises(UsageError, match="the source of this run"):
            write_report(data, path)
        if suffix in {".csv", ".xlsx"}:
            with pytest.raises(UsageError, match="the source of this run"):
                write_fix_file(data, path)
    assert source.read_bytes() == b"id;nom"


def test_another_suffix_is_refused_with_the_ones_that_work(tmp_path: Path) -> None:
    """A report as .pdf is a usage error that lists the formats."""
    with pytest.raises(UsageError, match=r"\.xlsx, \.csv, \.html, \.json"):
        write_report(realistic(10), tmp_path / "report.pdf")


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """A path in a folder that doesn't exist is a usage error that names the folder."""
    with pytest.raises(UsageError, match="doesn't exist"):
        write_report(realistic(10), tmp_path / "nowhere" / "report.csv")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_the_older_report(tiny_disk: Path, suffix: str) -> None:
    """No room: DiskFull with advice; the older file stays as it was and no piece of the new one remains."""
    path = tiny_disk / f"report{suffix}"
    path.write_text("older")
    noise = [outcome(i, **refused("x", f"{i * 7919 % 99991} " * 30)) for i in range(20_000)]
    with pytest.raises(DiskFull, match="No room"):
        write_report(run_data(noise), path)
    assert path.read_text() == "older"
    assert list(tiny_disk.iterdir()) == [path]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_disk_that_fills_up_at_the_last_step_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Space that runs out when the bytes reach the disk is DiskFull as well, and nothing is left behind."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DiskFull):
        write_report(realistic(50), tmp_path / f"report{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_leaves_the_older_report(tmp_path: Path) -> None:
    """When the outcomes can't be read to the end, the older report stays and the error comes through."""

    def broken(size: int) -> Iterator[pl.DataFrame]:
        yield from realistic(20).frames(10)
        raise RuntimeError("journal gone")

    for suffix in FORMATS:
        path = tmp_path / f"report{suffix}"
        path.write_text("older")
        with pytest.raises(RuntimeError, match="journal gone"):
            write_report(run_data([outcome(0)], frames=broken), path)
        assert path.read_text() == "older"


def test_csv_has_a_row_per_item_in_plan_order(tmp_path: Path) -> None:
    """Every item once, in order, with BOM and `;`, keys with their zeros."""
    path = write_report(realistic(25_000), tmp_path / "r.csv")
    rows = read_csv(path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert [int(row["item"]) for row in rows] == list(range(25_000))
    assert rows[3]["key"] == "00000000000003"
    assert rows[5]["reason"].startswith("« 0000000000005 » n'est pas un SIRET")


@pytest.mark.parametrize("text", HOSTILE)
def test_csv_holds_hostile_texts_harmlessly_and_exactly(tmp_path: Path, text: str) -> None:
    """No cell is left that a spreadsheet would run, and the guard comes off without a trace."""
    data = run_data([outcome(0, "rejected", key=text, reason=text, rule="x")])
    row = read_csv(write_report(data, tmp_path / "r.csv"))[0]
    assert unguard(row["key"]) == text
    assert not row["reason"].lstrip().startswith(("=", "@"))
    if text in {"+33612345678", "-5", "00501"}:
        assert row["key"] == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_csv_gives_any_text_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Whatever the reasons are, Python's csv module reads back as many rows and the same texts."""
    data = run_data([outcome(i, "rejected", reason=text) for i, text in enumerate(texts)])
    rows = read_csv(write_report(data, tmp_path_factory.mktemp("csv") / "r.csv"))
    assert [unguard(row["reason"]) for row in rows] == texts


def test_moments_are_on_the_clock_of_the_machine(tmp_path: Path) -> None:
    """A moment of the run, which is kept in UTC, reads in local time."""
    row = read_csv(write_report(run_data([outcome(0)]), tmp_path / "r.csv"))[0]
    assert row["at"] == datetime.fromtimestamp(START).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def test_json_says_what_programs_need(tmp_path: Path) -> None:
    """State, all six outcomes, top errors, failures with row numbers, conflicts with both values."""
    data = realistic(2_000)
    report = json.loads(write_report(data, tmp_path / "r.json").read_text(encoding="utf-8"))
    assert report["run"] == "companies-7f3a"
    assert report["state"] == "finished"
    assert sum(report["outcomes"].values()) == 2_000
    assert set(report["outcomes"]) == {"done", "unchanged", "rejected", "conflict", "unknown", "pending"}
    assert report["failures"][0]["row"] == 7
    assert report["conflicts"][0]["detail"]["effectif"] == {"planned": 12, "found": None, "wanted": 15}
    assert report["failing"] == len(report["failures"]) + len(report["conflicts"])
    assert report["top_errors"][0]["rule"] == "siret"


def test_json_is_bounded(tmp_path: Path) -> None:
    """Of many failures the first 10,000 are listed, and their number is told."""
    data = run_data([outcome(i, **refused("x", "no")) for i in range(10_500)])
    report = json.loads(write_report(data, tmp_path / "r.json").read_text(encoding="utf-8"))
    assert len(report["failures"]) == 10_000
    assert report["failing"] == 10_500


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_run_has_a_report_too(tmp_path: Path, suffix: str) -> None:
    """A run without items is reported as such, in every format."""
    empty = run_data([], state=RunState.PLANNED, started=None, finished=None, seconds=0.0)
    assert write_report(empty, tmp_path / f"r{suffix}").stat().st_size > 50


def test_fix_file_on_a_full_disk_is_told(tiny_disk: Path) -> None:
    """The fix-and-rerun file appears whole or not at all as well."""
    noise = [outcome(i, "rejected", **{"raw:a": f"{i * 7919} " * 30}) for i in range(5_000)]
    for suffix in (".csv", ".xlsx"):
        with pytest.raises(DiskFull):
            write_fix_file(run_data(noise), tiny_disk / f"fix{suffix}")
        assert list(tiny_disk.iterdir()) == []
