"""The course of a run as one inline SVG: outcomes so far above, items per second below."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ..core.words import format_seconds, number

if TYPE_CHECKING:
    from .data import Sample

_WIDTH: Final = 900
_LEFT: Final = 64
_RIGHT: Final = 16
_AREA: Final = (28, 208)  # top and bottom of the upper picture
_LINE: Final = (262, 352)  # and of the lower one
_HEIGHT: Final = 386
_STEPS: Final = (
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    28800,
    86400,
)


def picture(samples: Sequence[Sample]) -> str:
    """Draw the run.

    Args:
        samples: Points of the run's course.

    Returns:
        An `<svg>` element whose colours are the page's style variables; empty when two points or more are
        missing. It holds nothing but numbers, so it is safe to put into a page as it is.
    """
    points = sorted(samples, key=lambda sample: sample[0])
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return ""
    end = points[-1][0]
    most = max(1, *(done + rejected + other for _, done, rejected, other, *_ in points))
    fastest = _round_up(max((rate for *_, rate, _ in points if rate is not None), default=0.0))
    parts = [
        _opening(points),
        _grid(_AREA, most, "Items"),
        _areas(points, end, most),
        _grid(_LINE, fastest, "Items per second"),
        _rates(points, end, fastest),
        _time_axis(end),
        "</svg>",
    ]
    return "".join(parts)


def _opening(points: Sequence[Sample]) -> str:
    seconds, done, rejected, other, *_ = points[-1]
    told = (
        f"After {format_seconds(seconds)}: {number(done)} done, {number(rejected)} rejected, "
        f"{number(other)} with another outcome."
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="course-title course-text">'
        f'<title id="course-title">The course of the run</title><desc id="course-text">{told}</desc>'
    )


def _round_up(value: float) -> float:
    # The top of a scale that is easy to halve: 1, 2, 4, 5, 8 or 10 times a power of ten.
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next((step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value), 10 * power)


def _x(seconds: float, end: float) -> str:
    return _short(_LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / end)


def _y(value: float, most: float, band: tuple[int, int]) -> str:
    top, bottom = band
    return _short(bottom - (bottom - top) * value / most)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _areas(points: Sequence[Sample], end: float, most: float) -> str:
    # Stacked from below: what is done, then rejected, then the rest.
    layers = (("done", 0), ("rejected", 1), ("other", 2))
    drawn = []
    for name, level in layers:
        upper = [(point[0], sum(point[1:4][: level + 1])) for point in points]
        lower = [(point[0], sum(point[1:4][:level])) for point in reversed(points)]
        if any(point[level + 1] for point in points):
            outline = _path([*upper, *lower], end, most, _AREA)
            drawn.append(f'<path class="area {name}" d="{outline}Z"/>')
    return "".join(drawn)


def _rates(points: Sequence[Sample], end: float, fastest: float) -> str:
    # A pause has no rate: the line is broken there, not drawn through.
    runs: list[list[tuple[float, float]]] = [[]]
    for seconds, *_, rate, _ in points:
        if rate is None:
            runs.append([])
        else:
            runs[-1].append((seconds, rate))
    lines = (_path(run, end, fastest, _LINE) for run in runs if len(run) > 1)
    return "".join(f'<path class="rate" d="{line}"/>' for line in lines)


def _path(places: Iterable[tuple[float, float]], end: float, most: float, band: tuple[int, int]) -> str:
    steps = [f"{_x(seconds, end)} {_y(value, most, band)}" for seconds, value in places]
    return "M" + "L".join(steps)


def _grid(band: tuple[int, int], most: float, title: str) -> str:
    marks = [f'<text class="name" x="{_LEFT}" y="{band[0] - 10}">{title}</text>']
    for value in (0.0, most / 2, most):
        y = _y(value, most, band)
        label = number(round(value)) if most >= 10 else f"{value:.1f}".removesuffix(".0")
        marks.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        marks.append(f'<text class="tick end" x="{_LEFT - 8}" y="{y}" dy="4">{label}</text>')
    return "".join(marks)


def _time_axis(end: float) -> str:
    step = next((step for step in _STEPS if end / step <= 8), end / 8)
    marks = []
    place = 0.0
    while place <= end:
        x = _x(place, end)
        marks.append(f'<path class="grid" d="M{x} {_LINE[1]}v5"/>')
        marks.append(f'<text class="tick middle" x="{x}" y="{_LINE[1] + 20}">{_clock(place, step)}</text>')
        place += step
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
