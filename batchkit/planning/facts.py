"""What a plan says about itself as a whole, and what can be foreseen of its runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..checking.mapping import normalised
from ..core.advice import map_column, option
from ..core.problem import notice, warning
from ..core.states import Change
from ..core.words import plural

if TYPE_CHECKING:
    from ..checking.mapping import Mapping as FieldMapping
    from ..core.problem import Problem
    from .outline import Outline


def collect_facts(
    outline: Outline, fields: Sequence[str], unused: Sequence[str], notices: Sequence[Problem]
) -> dict[str, Any]:
    """The facts of a plan, JSON-able, besides its counts.

    Args:
        outline: What was planned; its source has been read.
        fields: The fields besides the key.
        unused: Columns of the source that feed no field.
        notices: What there is to say about the file as a whole.
    """
    source = outline.source
    declared = outline.target.fields()
    known = {name: declared[name] for name in (*outline.key, *fields) if name in declared}
    return {
        "created_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "source": {**source.describe(), "name": source.name, "sha256": source.fingerprint()},
        "columns": source.columns,
        "unused": list(unused),
        "mapping": _describe_mapping(outline.mapping),
        "target": outline.target.describe(),
        "address": outline.target.address,
        # As a hash: it is compared and never shown, and a path may hold what is nobody's business.
        "place": hashlib.sha256(outline.target.destination.encode()).hexdigest(),
        "table": outline.job.table,
        "key": list(outline.key),
        "fields": list(fields),
        "mode": outline.job.mode,
        "compare": asdict(outline.compare),
        "types": {name: asdict(kind) for name, kind in known.items()},
        "preset": dict(outline.target.preset),
        "settings": dict(outline.job.settings),
        "notices": [each.stored() for each in notices],
        "irreversible_because": _explain_irreversible(outline),
        "undoes": None,
        "results": dict(outline.target.result_columns),
        "work": _hash_work(outline),
        "idempotent": outline.target.idempotent,
        "job": outline.text,
        "folder": str(outline.job.folder) if outline.job.folder else None,
    }


def foresee_problems(
    outline: Outline, fields: Sequence[str], unused: Sequence[str], counts: Mapping[str, int]
) -> Iterator[Problem]:
    """What an operator should know before a run: columns left over, fields that nothing feeds.

    Args:
        outline: What was planned.
        fields: The fields besides the key.
        unused: Columns of the source that feed no field.
        counts: Number of items by kind of change.
    """
    filled = {*outline.key, *fields}
    others = {name: kind for name, kind in outline.types.items() if name not in filled and not kind.generated}
    # Those that a site keeps under technical names last: a list is cut off after twenty.
    free = sorted(others, key=lambda name: "." in name)
    near = _explain_mapping(unused, free)
    if unused:
        known = f" Fields that nothing feeds: {list_names(free)}." if free else ""
        yield notice(
            "unused",
            f"No field is fed by {plural(len(unused), 'column')} of the source: {list_names(unused)}",
            f"Map what is wanted{near}.{known}" if free or not outline.types else "No field is free.",
        )
    if not fields and not counts.get(Change.CREATE) and outline.types:
        yield warning(
            "no_fields",
            "No column feeds a field besides the key: nothing would be written",
            f"Map a column to one of the fields {list_names(free)}{near}.",
        )
    needed = [name for name, kind in others.items() if not kind.nullable and not kind.has_default]
    if needed and counts.get(Change.CREATE):
        yield warning(
            "required",
            f"Nothing feeds {list_names(needed)}, which the target needs: new items will be refused",
            "Map a column or a constant to it.",
        )
    if others and counts.get(Change.DELETE):
        yield warning(
            "delete",
            f"An undo would bring deleted items back without {list_names(free)}",
            "Map these fields too if an undo must restore them.",
        )


def _explain_mapping(columns: Sequence[str], fields: Sequence[str]) -> str:
    """How to map the first column whose name is like a field's; no guess where none is, for it does harm."""
    by_name = {normalised(name): name for name in fields}
    for column in columns:
        # Nearly the same, as a slip or a plural is: "Titre SEO" is no title.
        if found := get_close_matches(normalised(column), by_name, n=1, cutoff=0.8):
            return f", as in {map_column(by_name[found[0]], column)}"
    return f" by {option('map')}"


def warn_of_cleared(counts: Mapping[str, int]) -> Iterator[Problem]:
    """That blank cells would empty fields which hold something, where they would.

    Args:
        counts: Updates by field that they would empty.
    """
    if counts:
        named = ", ".join(f"{name!r} {n:,}" for name, n in list(counts.items())[:10])
        yield warning(
            "cleared",
            f"Blank cells would empty what the target holds: {named}",
            f"To leave such fields as they are: {option('blank', 'keep')}.",
        )


def list_names(names: Sequence[str]) -> str:
    """Names in quotes, twenty at most."""
    shown = ", ".join(repr(name) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def _hash_work(outline: Outline) -> str:
    """What makes two plans the same work: the same rows, mapped alike, for the same target."""
    parts = [
        outline.source.fingerprint(),
        outline.target.address,
        outline.target.describe(),
        _describe_mapping(outline.mapping),
        list(outline.key),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _explain_irreversible(outline: Outline) -> str:
    if outline.job.mode == "append":
        return "Appended items have no key by which they could be found again."
    if not outline.target.reversible:
        return "What this target was sent can't be taken back."
    return ""


def _describe_mapping(mapping: FieldMapping) -> dict[str, Any]:
    # A check written in Python can't be stored, and is done: its verdicts are in the plan.
    return {one.name: replace(one, check=None).to_dict() for one in mapping.fields}
