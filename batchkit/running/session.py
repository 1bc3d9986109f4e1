"""One session of a run: what its parts share, in three parcels and the settings in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..core.pacing import Throttle
from ..core.settings import Settings
from ..journal.attempts import Attempts
from ..journal.log import RunLog
from ..journal.writer import Journal
from .breakers import Breakers
from .chunk import Call
from .gate import Gate
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Record:
    """What a session leaves behind: the journal for a resume, the tally for views, the log for people."""

    journal: Journal
    attempts: Attempts
    tally: Tally
    log: RunLog


@dataclass(frozen=True, slots=True)
class Pace:
    """What decides when a call may leave.

    Attributes:
        gate: Lets calls leave, or holds them back.
        breakers: Say when so much fails that going on would do harm.
        throttle: How many calls the target bears at once; None where the target is not paced.
        clock: Monotonic seconds.
    """

    gate: Gate
    breakers: Breakers
    throttle: Throttle | None
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a part may ask of the engine.

    Attributes:
        give_up: Ends the session (or pauses it, when `may_pause`) for the reason given.
        pause: Pauses the run with a message.
        park: Puts a call aside for so many seconds; a worker takes it up again then, or after those that
            are queued by then.
        look_afar: Lets the next call come from further away in the plan.
        width: Calls that may be under way at once, now.
    """

    give_up: Callable[[str, bool], None]
    pause: Callable[[str], None]
    park: Callable[[Call, float, bool], None]
    look_afar: Callable[[], None]
    width: Callable[[], int]


@dataclass(slots=True)
class Session:
    """What all parts of one session of a run share.

    Attributes:
        run: Id of the run.
        settings: The settings in force; replaced whole when they change.
        dry_run: Nothing may stay written.
        alive: When an earlier session was last known to be at work, in Unix seconds; 0 for never.
    """

    run: str
    settings: Settings
    record: Record
    pace: Pace
    orders: Orders
    dry_run: bool = False
    alive: float = 0.0
