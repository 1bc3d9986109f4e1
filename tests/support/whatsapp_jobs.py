"""Jobs of WhatsApp messages and what tests ask of their plans and runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import Item, Result
from batchkit.targets.whatsapp.target import WhatsAppTarget
from tests.support.graph import PHONE, Graph

ROWS = pl.DataFrame(
    {
        "Téléphone": ["06 12 34 56 78", "+33 (0)6 11 22 33 44", "3.36123E+10", "0033 7 60 00 00 01"],
        "Prénom": ["Zoé", "Léa", "Max", "Ana"],
        "Pour": ["Zoé", "Léa", "Max", "Ana"],
        "Date": ["12 mai à 9 h", "13 mai", "14 mai", "15 mai"],
        "Lien": ["a1", "b2", "c3", "d4"],
    }
)
FEEDS = {"Téléphone": "to", "Prénom": "1", "Pour": "header_1", "Date": "2", "Lien": "button_2"}


def planned(
    graph: Graph, rows: Any, feeds: dict[str, str], *, key: Sequence[str] = (), **target: Any
) -> Plan:
    """A plan for the graph."""
    to = graph.target(key=key or ["to"], **target)
    to.connect()
    return Job(rows, to=f"whatsapp:{PHONE}", map=feeds, key=key, target=target).plan(target=to)


def changes(plan: Plan) -> list[str]:
    """What would become of each row."""
    return plan.changes().collect()["change"].to_list()


def problems(plan: Plan) -> dict[int | None, str]:
    """The rule that each row broke."""
    return {each.row: each.rule for each in plan.problems()}


def again(graph: Graph, plan: Plan) -> WhatsAppTarget:
    """The target as the plan keeps it."""
    return graph.target(**{name: value for name, value in plan.facts["target"].items() if name != "url"})


def started(graph: Graph, plan: Plan, **settings: Any) -> Run:
    """A run of the plan against the graph, at its end."""
    quick = {"rate": None, "delay": 0, "backoff": 0.01, "key_rest": 0, "report": False}
    run = plan.start(target=again(graph, plan), **{**quick, **settings})
    run.wait(20)
    return run


def outcomes(run: Run) -> dict[str, str]:
    """Outcome by key."""
    return {row["key"]: row["outcome"] for row in run.outcomes().iter_rows(named=True)}


def send(target: WhatsAppTarget, to: str = "+33612345678", **values: Any) -> Result:
    """What becomes of one message."""

    async def work() -> Sequence[Result] | None:
        await target.begin()
        try:
            return await target.send([Item(0, 2, "send", {"to": to}, {}, values)])
        finally:
            await target.end()

    (result,) = asyncio.run(work()) or ()
    return result


def failure(target: WhatsAppTarget, **values: Any) -> Any:
    """How a message's failure is judged."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is, the target's table judges it
        send(target, **{"text": "x", **values})
    return target.classify(caught.value)


# Who gets which message
