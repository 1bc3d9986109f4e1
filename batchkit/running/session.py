"""One session of a run: what its parts share, and the calls they hand on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from ..core.pacing import Throttle
from ..core.settings import Settings
from ..journal.journal import Journal
from ..journal.log import RunLog
from ..targets.base import Item
from .breakers import Breakers
from .feeder import Chunk
from .gate import Gate
from .tally import Tally


@dataclass(slots=True)
class Call:
    """One request to the target: some items of a chunk, or all of it where the target takes frames.

    Attributes:
        chunk: The chunk it belongs to.
        items: What it carries; empty where it carries the whole chunk.
        attempt: How often it was sent.
        forgiven: Attempts that don't count, for the target was busy with others.
        pardons: How often its tries began anew.
        doubt: One of its tries may have been done all the same.
        done_before: Items of the session that were done when it was first sent, or last forgiven.
        intent: First item of its own intent on record, where each call has one.
    """

    chunk: Chunk
    items: list[Item] = field(default_factory=list)
    attempt: int = 0
    forgiven: int = 0
    pardons: int = 0
    doubt: bool = False
    done_before: int = 0
    intent: int | None = None

    @property
    def size(self) -> int:
        """Items it carries."""
        return len(self.items) or self.chunk.frame.height


@dataclass(slots=True)
class Session:
    """What all parts of one session of a run share.

    Attributes:
        run: Id of the run.
        settings: The settings in force; replaced whole when they change.
        dry_run: Nothing may stay written.
        give_up: Ends the session (or pauses it, when `may_pause`) for the reason given.
        throttle: How many calls the target bears at once; None where the target is not paced.
        alive: When an earlier session was last known to be at work, in Unix seconds; 0 for never.
        park: Puts a call aside for so many seconds; a worker takes it up again then.
    """

    run: str
    settings: Settings
    dry_run: bool
    journal: Journal
    tally: Tally
    gate: Gate
    breakers: Breakers
    log: RunLog
    threads: Executor
    clock: Callable[[], float]
    give_up: Callable[[str, bool], None]
    throttle: Throttle | None = None
    alive: float = 0.0
    park: Callable[[Call, float], None] = lambda _call, _seconds: None
