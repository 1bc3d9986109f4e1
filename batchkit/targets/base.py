"""What a target is: the system that is written to.

A target comes in one of two shapes. A `FrameTarget` takes a whole chunk as a polars frame and applies it in
one transaction (databases). A `CallTarget` takes a few items per call and answers for each (HTTP). Both state
their facts as attributes, so the engine knows without asking what may be tried again. The columns of the
frames are those of a plan, see `core.columns`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.columns import (
    AFTER,
    BEFORE,
    CHANGE,
    FILE_ROW,
    ITEM,
    KEY,
    LOST,
    NAME,
    RAW,
    RENDERED,
    FieldType,
)
from ..core.errors import UsageError
from ..core.registry import Registry, scheme_of
from .exchange import (
    FIREWALL,
    ChunkContext,
    Failure,
    Fate,
    Finding,
    Item,
    OpenTable,
    Refusal,
    Result,
    Rows,
)

if TYPE_CHECKING:
    import polars as pl

    from ..core.problem import Problem

# A target of somebody else's needs only this module: what it passes on and the plan's columns are handed on.
__all__ = [
    "AFTER",
    "BEFORE",
    "CHANGE",
    "FILE_ROW",
    "FIREWALL",
    "ITEM",
    "KEY",
    "LOST",
    "NAME",
    "RAW",
    "RENDERED",
    "CallTarget",
    "ChunkContext",
    "Failure",
    "Fate",
    "FieldType",
    "Finding",
    "FrameTarget",
    "Item",
    "OpenTable",
    "Refusal",
    "Result",
    "Rows",
    "Target",
    "open_target",
    "register",
    "schemes",
    "target_class",
]


class Target(ABC):
    """The system that is written to.

    Attributes:
        idempotent: Sending an item twice has the effect of sending it once.
        readable: The current values can be read back, so the plan can tell update from unchanged.
        reversible: Its changes can be undone from before-images.
        call_size: Items one call carries; None when a call is a whole chunk.
        max_workers: Calls it can bear at once; None when it does not care.
        chunk_items: Items of a chunk beyond which it gains nothing; None for the usual limit.
        read_size: Items that are read and compared at once while planning; None for the usual number.
        default_key: The key of a job that names none.
        joins_key: Fields that become part of the key when something feeds them.
        any_key: The key may be a column that is no field of the target, such as an order's number.
        creatable: An item that it lacks can be created under its key; where it can't, none is, in any mode.
        files: Options that are paths of files; a job reads them relative to its own folder.
        tabled: It is one of several tables at its address, so that a job has to name it.
        usual: Settings that proved right for its kind; a run starts from them, and the operator's own win.
        missing_advice: What to do about an item that isn't at the target; empty for the usual words.
        open_table: Opens a file of rows, for what a target has to read besides, such as a list of numbers;
            handed over by whoever opens the target, for reading files lies above. None: nobody did.
        model: What a job may say of it under `[target]`, which the reference lists; None: nothing.
    """

    model: type[Any] | None = None
    idempotent: bool = False
    readable: bool = False
    reversible: bool = False
    call_size: int | None = 1
    max_workers: int | None = None
    chunk_items: int | None = None
    read_size: int | None = None
    keys: tuple[str, ...] = ()
    default_key: tuple[str, ...] = ()
    joins_key: tuple[str, ...] = ()
    any_key: bool = False
    creatable: bool = True
    files: tuple[str, ...] = ()
    tabled: bool = False
    usual: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    missing_advice: str = ""
    open_table: OpenTable | None = None

    @property
    def result_columns(self) -> Mapping[str, str]:
        """What is kept of the answers for people: name of the column → entry of an outcome's detail."""
        return {}

    @property
    def preset(self) -> Mapping[str, Any]:
        """Settings that suit what was found on connecting, over those of its kind; the operator's own win."""
        return {}

    @property
    @abstractmethod
    def address(self) -> str:
        """The target's address without any secret: shown, stored in plans, compared when a run starts."""

    @property
    def destination(self) -> str:
        """Where its rows go, table included, in one spelling however the address was written.

        It only tells whether two plans write to the same place, and is shown to nobody.
        """
        return f"{self.address} {self.describe().get('table') or ''}"

    @property
    def shape(self) -> Any:
        """What the options make of a row, as JSON: the template of a message, say; never how it is sent.

        Two plans with the same rows for the same place are other work where this differs.
        """
        return None

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """JSON-able description from which `open_target` makes the same target again; no secrets."""

    @abstractmethod
    def connect(self) -> None:
        """Check address, login and table before anything is planned or sent.

        Raises:
            TargetError: With the reason and advice; `TargetUnreachable` when nobody answers.
        """

    @abstractmethod
    def close(self) -> None:
        """Release connections. Safe to call twice."""

    @abstractmethod
    def fields(self) -> dict[str, FieldType]:
        """The target's fields in its own order; empty when it takes any."""

    @abstractmethod
    def classify(self, error: BaseException) -> Failure:
        """Judge an error raised by `apply`, `send` or `read` by this target's table."""

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values of the items with these keys.

        Args:
            keys: One column per key field (typed), no nulls, no repeats.
            fields: Which other fields to bring.

        Returns:
            A frame with the key columns (as they were given) and `fields`, a row per item that exists, in any
            order. Several rows for one key mean that the key is not unique at the target. Where the target
            holds values that a field's type can't carry (read as null) or not exactly (read as rounded), a
            column `lost:<field>` has their texts.
        """
        raise NotImplementedError(f"{type(self).__name__} can't be read")

    def canonical(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Refusal]]:
        """Checked values as the target would give them back: a UUID in lower case, a time with its seconds.

        Args:
            frame: A typed column per field, the key's among them; null where a cell is blank or refused.

        Returns:
            The same columns with values as the target writes them, and those that it can't take (null now).
        """
        return frame, []

    def rendered(self, frame: pl.DataFrame) -> pl.Series | None:  # noqa: ARG002 - for those that do
        """The text of what would be sent for each row, as its reader gets it: a message, a prompt.

        Args:
            frame: As `canonical` gave it.

        Returns:
            A text per row, null where there is none; None for a target that sends no texts.
        """
        return None

    def has_run(self, run: str) -> bool | None:  # noqa: ARG002 - for those that keep a record
        """Whether the target itself has a record of what a run wrote; None where it keeps none.

        May be asked without `connect`.

        Raises:
            Exception: It can't be asked.
        """
        return None

    def notices(self) -> list[Problem]:
        """What there is to know about a plan as a whole, such as its cost; asked when all rows were seen."""
        return []

    def checkup(self) -> Iterator[Finding]:
        """What a doctor should say about the target, beyond that it answers; asked after `connect`."""
        yield from ()


class FrameTarget(Target):
    """A target that applies a whole chunk at once, as a transaction."""

    call_size = None
    atomic: bool = True

    @abstractmethod
    def apply(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:
        """Apply the chunk in one transaction; runs in a worker thread.

        Args:
            frame: The chunk, columns as the module's docstring lists them; only sendable changes.
            context: Which chunk of which run, and how.

        Returns:
            A result for each item that is NOT simply done. An empty list means that all are done. An item
            that was written over somebody's edit (`overwrite`) has a result `done` whose detail holds what
            was there: `{"overwritten": {field: value}}`, or `{"overwritten": null}` where nothing was; an
            undo leaves it be. One of which somebody else had set some fields to the wanted values already
            has a result `done` with `{"kept": [fields]}`; an undo leaves those fields be.

        Raises:
            Exception: Anything `classify` can judge; then nothing of the chunk was applied (or, for fate
                `unknown`, nobody knows).
        """

    def applied_chunks(self, run: str) -> list[tuple[int, int]] | None:  # noqa: ARG002 - for those that keep a record
        """First and last item of each chunk of a run that the target itself has on record, in order.

        None where it keeps no record. May be asked without `connect`.

        Raises:
            Exception: It can't be asked.
        """
        return None

    def scan_keys(self, fields: Sequence[str], size: int = 50_000) -> Iterator[pl.DataFrame]:
        """Every item at the target, in frames of `size`: key columns and `fields` (to plan deletes)."""
        raise NotImplementedError(f"{type(self).__name__} can't list its items")

    def held_keys(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The keys as `scan_keys` lists them of the items that the target finds by these keys.

        They may differ from the given ones where the target's own comparison is looser, such as one that
        doesn't tell upper from lower case.
        """
        return keys

    def resolve_lookup(self, lookup: Mapping[str, Any], names: pl.Series) -> pl.DataFrame:
        """Ids for names of a lookup table, as a frame `name`, `id`; names without a row are left out."""
        raise NotImplementedError(f"{type(self).__name__} has no lookups")


class CallTarget(Target):
    """A target that takes a few items per call and answers for each of them.

    Attributes:
        paced: Fewer calls go out at once while it pushes back or slows down; see `pacing.Throttle`.
        run: Id of the run whose calls it takes, from `begin` on.
    """

    paced: bool = False
    run: str = ""

    def repeatable(self, items: Sequence[Item]) -> bool:  # noqa: ARG002 - for those that tell them apart
        """Whether sending these very items twice has the effect of sending them once."""
        return self.idempotent

    def limited_by(self, item: Item) -> Hashable:
        """What the setting `key_rest` goes by: the recipient of a message, else the item's key."""
        return tuple(item.key.values())

    async def read_now(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """`read` on the engine's loop, between `begin` and `end`; in a thread unless overridden."""
        return await asyncio.to_thread(self.read, keys, fields)

    async def begin(self) -> None:
        """Called on the engine's loop before the first call: open clients here."""

    async def ping(self) -> bool:
        """Ask the target something that changes nothing and costs little: whether it is back after an outage.

        Returns:
            True when it answered; False when there is nothing harmless to ask.

        Raises:
            Exception: Anything `classify` can judge.
        """
        return False

    async def end(self) -> None:
        """Called on the engine's loop after the last call."""

    @abstractmethod
    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Send one call.

        Returns:
            A result per item that is not simply done; None or empty when all are done.

        Raises:
            Exception: Anything `classify` can judge; it then stands for every item of the call, which the
                engine splits when the fate is `reject` and the call carries more than one.
        """


_REGISTRY = Registry(
    "target",
    {
        "sqlite": "batchkit.targets.sql.target:SqlTarget",
        "postgresql": "batchkit.targets.sql.target:SqlTarget",
        "postgres": "batchkit.targets.sql.target:SqlTarget",
        "http": "batchkit.targets.rest.target:RestTarget",
        "wordpress": "batchkit.targets.wordpress.target:WordPressTarget",
        "whatsapp": "batchkit.targets.whatsapp.target:WhatsAppTarget",
        "chat": "batchkit.targets.chat.target:ChatTarget",
    },
)
"""A new family touches its own folder and a line here; a package of somebody else's brings an entry point."""

register = _REGISTRY.register
schemes = _REGISTRY.schemes

_FILES = (".sqlite", ".sqlite3", ".db", ".db3")


def open_target(url: str, **options: Any) -> Target:
    """The target behind an address; not connected yet.

    Args:
        url: Address such as `sqlite:///companies.sqlite` or `postgresql://user@host/db`.
        **options: What that target takes (`table`, `key`, `mode`, ...).

    Raises:
        UsageError: No target has that scheme.
    """
    target: Target = target_class(url)(url, **options)
    return target


def target_class(url: str) -> Any:
    """The class of the target behind an address.

    Raises:
        UsageError: No target has that scheme.
    """
    try:
        return _REGISTRY.opener(url)
    except UsageError:
        is_path = "://" not in url and ({"/", "\\"} & set(url) or url.lower().endswith(_FILES))
        if not is_path or scheme_of(url) in schemes():
            raise
        raise UsageError(f"{url!r} is no address.", advice=f'Did you mean "sqlite:///{url}"?') from None
