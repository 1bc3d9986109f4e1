"""From a verb's options to the job they describe."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import BatchkitError, JobError, UsageError
from .console import shell

if TYPE_CHECKING:
    from ..checking.fields import Field
    from ..planning.job import Job

EXAMPLE = "For example: batchkit plan FILE.csv --to sqlite:///companies.sqlite --table companies --key siret"


def make_job(source: str, **given: Any) -> Job:
    """The job that a verb's options describe; options beside a job file win over it.

    Raises:
        UsageError: An option is missing or doesn't fit.
    """
    from ..planning.job import Job
    from ..planning.job_entries import ENTRIES, READING
    from ..sources.base import local_path

    chosen = _chosen(given)
    rules = chosen.pop("fields", {})
    replaced, query = chosen.pop("replaced", None), chosen.pop("query", None)
    only, create_missing = chosen.pop("only", ()), chosen.pop("create_missing", False)
    if Path(source).suffix.lower() == ".toml":
        _refuse_other_encodings(source)
        job = Job.load(source)
        if replaced:
            path = local_path(replaced)
            chosen["source"] = replaced if path is None else str(path.expanduser().absolute())
            if path is not None and _holds_rows_to_correct(path.expanduser()):
                chosen = {name: ENTRIES[name].default for name in READING} | chosen
        if "target" in chosen:
            chosen["target"] = {**job.target, **chosen["target"]}
        job = replace(job, **chosen) if chosen else job
    elif replaced:
        raise UsageError(
            "--source goes with a job file.", advice=f"Name the file alone: batchkit plan {shell(replaced)}"
        )
    else:
        _require(source, chosen)
        job = Job(source={"address": source, "query": query} if query else source, **chosen)
    if "delete_cap" in chosen and not job.delete:
        raise UsageError("--delete-cap goes with --delete.")
    if create_missing:
        job = _creating(job)
    return _with_fields(job, rules, only) if rules or only else job


def _refuse_other_encodings(path: str) -> None:
    with contextlib.suppress(OSError):  # what can't be read is told by who reads it
        text = Path(path).read_bytes()
        try:
            text.decode()
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            raise JobError(
                f"The job file {path} isn't UTF-8, as TOML must be (line {line}).",
                advice="Save it as UTF-8: editors offer that as the encoding in Save as.",
                path=path,
            ) from None


def _holds_rows_to_correct(path: Path) -> bool:
    """Whether a file is one that batchkit wrote of a run: it isn't laid out as the job's own source is."""
    from ..sources.tables import open_table

    with contextlib.suppress(BatchkitError):  # what can't be read is told when it is planned
        return open_table(path).is_own
    return False


def _require(source: str, chosen: Mapping[str, Any]) -> None:
    from ..planning.opening import fact_of

    to = chosen.get("to", "")
    missing = [] if to else ["--to"]
    if not chosen.get("table") and fact_of(to or "sqlite:", "tabled"):
        missing.append("--table")
    if "key" not in chosen and chosen.get("mode") != "append" and not (to and fact_of(to, "default_key")):
        missing.append("--key")
    if missing:
        listed = " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
        raise UsageError(f"To plan {Path(source).name}, {listed} must be given.", advice=EXAMPLE)


def _chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by the names a job has for them."""
    chosen = {name: value for name, value in given.items() if value not in (None, False, ())}
    if given.get("header_row") == 0:
        chosen["header_row"] = 0
    for name, read in _READERS.items():
        if name in chosen:
            chosen[name] = read(chosen[name])
    return chosen


def _key(words: tuple[str, ...]) -> list[str]:
    return [name.strip() for word in words for name in word.split(",") if name.strip()]


def _map(words: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for word in words:
        column, equals, name = word.rpartition("=")  # a column may hold `=`, a field hardly ever does
        if not equals or not column.strip() or not name.strip():
            raise UsageError(
                f"--map {word!r} names no column and field.",
                advice='Write COL=FIELD, as in --map "Nom=name".',
            )
        found[column.strip()] = name.strip()
    return found


def _lookups(words: tuple[str, ...]) -> dict[str, dict[str, str]]:
    found = {}
    for word in words:
        name, _, place = word.partition("=")
        parts = [part.strip() for part in place.split(".")]
        if not name.strip() or len(parts) not in {2, 3} or not all(parts):
            raise UsageError(
                f"--lookup {word!r} names no table and column.",
                advice="Write FIELD=TABLE.COLUMN, as in --lookup categorie_id=categories.nom.",
            )
        found[name.strip()] = dict(zip(("table", "by", "id"), parts, strict=False))
    return found


def _rules(words: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, value = word.partition("=")
        name, _, rule = place.rpartition(".")
        if not equals or not name.strip() or not rule.strip():
            raise UsageError(
                f"--field {word!r} is no rule.",
                advice="Write FIELD.RULE=VALUE, as in --field ca.type=decimal.",
            )
        rule = rule.strip().replace("-", "_")
        found.setdefault(name.strip(), {})[rule] = _rule_value(rule, value.strip())
    return found


def _rule_value(rule: str, value: str) -> Any:
    """The value as the rule takes it."""
    from ..checking.fields import Field
    from ..core.model import entries

    known = entries(Field)
    kinds = known[rule].kinds if rule in known else frozenset()
    if bool in kinds:
        return value.lower() not in {"false", "no", "off", "0", ""}
    if tuple in kinds:
        return [part.strip() for part in value.split(",")]
    if kinds == {int} and value.isdigit():
        return int(value)
    return value


def _target(words: tuple[str, ...]) -> dict[str, Any]:
    from .options import pairs

    return {name: _plain_value(value) for name, value in pairs(words, "--target").items()}


def _plain_value(text: str) -> Any:
    """A value as TOML would read it where it can: numbers, true, lists; else the text itself."""
    import tomllib

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


_READERS: dict[str, Any] = {
    "target": _target,
    "key": _key,
    "only": _key,
    "map": _map,
    "lookups": _lookups,
    "fields": _rules,
}


def _creating(job: Job) -> Job:
    """The job with every lookup creating the names that are missing."""
    if not job.all_lookups:
        raise UsageError(
            "--create-missing goes with --lookup.",
            advice="Name the table of the names, as in --lookup categorie_id=categories.nom.",
        )
    lookups = {name: {**lookup, "create": True} for name, lookup in job.lookups.items()}
    fields = [
        replace(one, lookup={**one.lookup, "create": True}) if one.lookup is not None else one
        for one in job.own_fields
    ]
    return replace(job, lookups=lookups, fields=fields)


def _with_fields(job: Job, rules: Mapping[str, Mapping[str, Any]], only: Sequence[str]) -> Job:
    """The job with its fields written out: those that planning would find, with rules, or some of them."""
    from ..checking.fields import Field

    job = job.with_source_at_hand()
    fitted = job.fitted()
    key, fields = fitted.key, {one.name: one for one in fitted.mapping.fields}
    for name, rule in rules.items():
        options = fields[name].to_dict() if name in fields else {}
        if {"column", "constant", "template"} & set(rule):
            options.pop("column", None)
        fields[name] = Field.from_dict(name, {**options, **rule})
    if only:
        fields = _chosen_fields(fields, only, key, rules)
    return replace(job, fields=tuple(fields.values()), map={})


def _chosen_fields(
    fields: Mapping[str, Field], only: Sequence[str], key: Sequence[str], rules: Mapping[str, Any]
) -> dict[str, Field]:
    """The key's fields and those that `--only` names, by their own name or their column's."""
    from ..checking.mapping import normalised
    from ..core.words import did_you_mean

    names = {normalised(one.column): name for name, one in fields.items() if one.column}
    names |= {normalised(name): name for name in fields}
    for word in only:
        if normalised(word) not in names:
            raise UsageError(
                f"--only {word!r} is neither a field that is filled nor a column that fills one.",
                advice=did_you_mean(word, fields),
            )
    kept = {*key, *(names[normalised(word)] for word in only)}
    for name in rules:
        if name not in kept:
            raise UsageError(
                f"--field gives a rule for {name!r}, which --only leaves out.",
                advice=f"Add it, as in --only {','.join([*only, name])}, or take the rule away.",
            )
    return {name: one for name, one in fields.items() if name in kept}
