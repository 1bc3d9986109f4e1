"""The course of a run as one inline SVG: outcomes so far above, items per second below."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Final

from ..core.words import format_seconds, number

if TYPE_CHECKING:
    from .data import Sample

LAYERS: Final = {
    "done": "done", "unchanged": "unchanged", "rejected": "rejected", "other": "conflict or unknown"
}  # fmt: skip
"""What is stacked, from below, and what the key calls it."""

_WIDTH: Final = 900
_LEFT: Final = 64
_RIGHT: Final = 16
_AREA: Final = (28, 208)  # top and bottom of the upper picture
_LINE: Final = (262, 352)  # and of the lower one
_STEPS: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400,
                 28800, 86400)  # fmt: skip
"""Seconds between two marks of the time."""


def picture(samples: Sequence[Sample]) -> str:
    """Draw the run.

    Args:
        samples: Points of the run's course.

    Returns:
        An `<svg>` element whose colours are the page's style variables; empty when two points or more are
        missing. The rate is left out where none is known. It holds nothing but numbers, so it is safe to put
        into a page as it is.
    """
    points = sorted(samples, key=lambda point: point[0])
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return ""
    end, rates = points[-1][0], _rates(points)
    most = max(1, *(sum(point[1:5]) for point in points))
    fastest = _round_up(max((rate for line in rates for _, rate in line), default=0.0))
    bottom = (_LINE if rates else _AREA)[1]
    lower = [_grid(_LINE, fastest, "Items per second")] if rates else []
    lower += [f'<path class="rate" d="{_path(line, end, fastest, _LINE)}"/>' for line in rates]
    return "".join([
        _opening(points[-1], bottom + 34), _grid(_AREA, most, "Items"), *_areas(points, end, most), *lower,
        _time_axis(end, bottom), "</svg>",
    ])  # fmt: skip


def key(samples: Sequence[Sample]) -> dict[str, str]:
    """What the colours of the picture mean, by their names in the page's style; of those that are there."""
    there = {name: label for place, (name, label) in enumerate(LAYERS.items(), 1)
             if name == "done" or any(point[place] for point in samples)}  # fmt: skip
    return there | ({"rate": "items per second"} if _rates(samples) else {})


def _opening(last: Sample, height: int) -> str:
    seconds, done, unchanged, rejected, other, *_ = last
    text = (
        f"After {format_seconds(seconds)}: {number(done)} done, {number(unchanged)} unchanged, "
        f"{number(rejected)} rejected, {number(other)} in conflict or unknown."
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="course-title course-text">'
        f'<title id="course-title">The course of the run</title><desc id="course-text">{text}</desc>'
    )


def _round_up(value: float) -> float:
    # The top of a scale that is easy to halve: 1, 2, 4, 5, 8 or 10 times a power of ten.
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value), 10 * power)


def _areas(points: Sequence[Sample], end: float, most: float) -> Iterable[str]:
    stacked = [(point[0], *accumulate(point[1:5], initial=0)) for point in points]
    for level, name in enumerate(LAYERS, 1):
        if any(point[level] for point in points):
            upper = [(point[0], point[level + 1]) for point in stacked]
            lower = [(point[0], point[level]) for point in reversed(stacked)]
            yield f'<path class="area {name}" d="{_path([*upper, *lower], end, most, _AREA)}Z"/>'


def _rates(points: Iterable[Sample]) -> list[list[tuple[float, float]]]:
    """The lines of the rate: a pause has none, so the line is broken there and not drawn through."""
    runs = groupby(points, key=lambda point: point[5] is not None)
    lines = [[(point[0], point[5] or 0.0) for point in run] for known, run in runs if known]
    return [line for line in lines if len(line) > 1]


def _path(places: Iterable[tuple[float, float]], end: float, most: float, band: tuple[int, int]) -> str:
    return "M" + "L".join(f"{_x(seconds, end)} {_y(value, most, band)}" for seconds, value in places)


def _x(seconds: float, end: float) -> str:
    return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / end:.1f}".removesuffix(".0")


def _y(value: float, most: float, band: tuple[int, int]) -> str:
    top, bottom = band
    return f"{bottom - (bottom - top) * value / most:.1f}".removesuffix(".0")


def _grid(band: tuple[int, int], most: float, title: str) -> str:
    marks = [f'<text class="name" x="{_LEFT}" y="{band[0] - 10}">{title}</text>']
    for value in (0.0, most / 2, most):
        y = _y(value, most, band)
        label = number(round(value)) if most >= 10 else f"{value:.1f}".removesuffix(".0")
        marks.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        marks.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y}" dy="4">{label}</text>')
    return "".join(marks)


def _time_axis(end: float, bottom: int) -> str:
    step = next((step for step in _STEPS if end / step <= 8), end / 8)
    marks = []
    for place in range(int(end / step) + 1):
        x = _x(place * step, end)
        marks.append(f'<path class="grid" d="M{x} {bottom}v5"/>')
        clock = _clock(place * step, step)
        marks.append(f'<text class="tick middle" x="{x}" y="{bottom + 20}">{clock}</text>')
    return "".join(marks)


def _clock(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = round(seconds)
    if step >= 3600:
        return f"{whole // 3600} h"
    if step >= 60:
        return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"
    if whole % 60 == 0 and whole:
        return f"{whole // 60} min"
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"
