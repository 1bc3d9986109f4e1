"""Estimators: a range where there is a basis, nothing where there is none."""

from __future__ import annotations

from pathlib import Path

from batchkit.core.estimate import DiskEstimate, EtaEstimator, disk_estimate, disk_need, memory_in_use


def test_remaining_is_unknown_before_there_is_a_basis() -> None:
    """No figure is shown after a single point."""
    eta = EtaEstimator()
    assert eta.remaining(100) is None
    eta.add(0.0, 0)
    eta.add(0.2, 50)
    assert eta.remaining(100) is None


def test_remaining_spans_recent_and_session_rate() -> None:
    """A run that slowed down shows a range from its average to its present pace."""
    eta = EtaEstimator(window=10)
    items = 0
    for second in range(60):
        items += 100 if second < 30 else 10
        eta.add(float(second), items)
    remaining = eta.remaining(1000)
    assert remaining is not None
    low, high = remaining
    assert low < 1000 / 50 < 1000 / 10 <= high


def test_rate_is_unknown_while_nothing_moves() -> None:
    """A stalled target gives no rate and no promise."""
    eta = EtaEstimator()
    for second in range(10):
        eta.add(float(second), 0)
    assert eta.rate() is None
    assert eta.remaining(10) is None


def test_remaining_of_nothing_is_zero() -> None:
    """A finished run has no time left."""
    assert EtaEstimator().remaining(0) == (0.0, 0.0)


def test_disk_estimate_tells_enough_from_critical(tmp_path: Path) -> None:
    """Enough means the need fits above the reserve; critical means the reserve itself is touched."""
    assert DiskEstimate(free=100, need=50, reserve=50).enough
    assert not DiskEstimate(free=100, need=51, reserve=50).enough
    assert DiskEstimate(free=49, need=0, reserve=50).critical
    assert disk_estimate(tmp_path, 0, 0).free > 0


def test_disk_need_grows_with_items_and_is_smaller_for_chunks() -> None:
    """A row per item needs more journal than a row per chunk."""
    assert disk_need(1_000_000, atomic=True) < disk_need(1_000_000, atomic=False) < 200 * 1024**2


def test_memory_in_use_is_this_process() -> None:
    """Memory is measured, in bytes."""
    assert memory_in_use() > 10 * 1024**2
