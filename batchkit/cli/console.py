"""What the terminal shows: prose or JSON, colours where they belong, marks it can draw, questions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

import click

from ..core.errors import UsageError
from ..core.words import EMPTY


def prepare_streams() -> None:
    """Let no character stop the program: what the terminal's encoding lacks is shown as `?`."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            # Streams that somebody put in the place of the real ones may lack it: hence the suppression.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a line. A reader that has gone away must not end a run: what is left to say goes nowhere."""
    try:
        click.echo(text, err=err, nl=nl)
    except BrokenPipeError:
        mute()


def mute() -> None:
    """Send the rest nowhere, so that Python's own flush at the end stays quiet too."""
    with contextlib.suppress(Exception):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                os.dup2(nowhere, stream.fileno())


def colour_wanted() -> bool | None:
    """Whether to colour: `NO_COLOR` and `FORCE_COLOR` decide; None leaves it to whether it is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return None


def can_draw(text: str, stream: TextIO | None = None) -> bool:
    """Whether the stream's encoding has these characters."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def mark(wanted: str, plain: str) -> str:
    """`wanted` where the terminal can draw it, else `plain`."""
    return wanted if can_draw(wanted) else plain


def width() -> int:
    """Columns of the terminal, within what reads well."""
    import shutil

    return max(60, min(shutil.get_terminal_size((100, 24)).columns, 140))


def shorten(text: str, room: int) -> str:
    """One line of at most `room` characters; line ends and control characters are made visible."""
    line = text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    line = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
    if len(line) <= room:
        return line
    dots = mark("…", "...")
    return line[: max(1, room - len(dots))] + dots


def value_text(value: object, room: int = 40) -> str:
    """A field's value as a person reads it; no value is shown as `(empty)`."""
    return EMPTY if value is None or value == "" else shorten(str(value), room)


def style(text: str, **how: Any) -> str:
    """Coloured text; the colours are taken out again where they don't belong."""
    return click.style(text, **how)


def bold(text: str) -> str:
    """Text that stands out."""
    return click.style(text, bold=True)


def dim(text: str) -> str:
    """Text that steps back."""
    return click.style(text, dim=True)


def as_json(value: object) -> str:
    """The value as JSON; characters the terminal can't draw are escaped, so that what arrives is whole."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain, allow_nan=False)
    return text if can_draw(text) else json.dumps(value, indent=2, default=_plain, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


@dataclass(frozen=True, slots=True)
class Console:
    """Where a verb speaks: prose on stdout, or one JSON object there and the prose on stderr.

    Attributes:
        json: Whether `--json` was given.
    """

    json: bool = False

    def say(self, text: str = "") -> None:
        """A line for people; with `--json` it goes to stderr, where it disturbs no parser."""
        echo(text, err=self.json)

    def page(self, lines: Iterable[str]) -> None:
        """Lines for people."""
        for line in lines:
            self.say(line)

    def note(self, text: str) -> None:
        """A line about what goes on: always stderr."""
        echo(text, err=True)

    def answer(self, value: object, lines: Callable[[], Iterable[str]] | None = None) -> None:
        """The verb's result: `value` as JSON with `--json`, else the lines."""
        if self.json:
            echo(as_json(value))
        elif lines is not None:
            self.page(lines())

    def confirm(self, question: str, *, yes: bool) -> bool:
        """Ask before something is written.

        Returns:
            True when the person (or `--yes`) agrees.

        Raises:
            UsageError: There is no terminal to ask at, and `--yes` wasn't given.
        """
        if yes:
            return True
        if not is_terminal(sys.stdin):
            raise UsageError(
                "Nothing was applied: there is no terminal here to ask for a confirmation.",
                advice="Add --yes to apply without being asked, or --dry-run to write nothing.",
            )
        try:
            return agree(question, err=self.json)
        except click.Abort:  # Ctrl-C is a no
            self.note("")
            return False


def agree(question: str, *, err: bool) -> bool:
    """Ask until the answer is a yes or a no, English or French; nothing at all is a no.

    Raises:
        click.Abort: Ctrl-C, or nobody is there.
    """
    # polars catches Ctrl-C in a way that lets a read at the terminal go on as if nothing had been. Here its
    # handler gives way to Python's, which is the one that Python itself believes to be there.
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGINT))
    try:
        while True:
            echo(f"{question} [y/N]: ", err=err, nl=False)
            word = _read_line().lower()
            if word in {"y", "yes", "o", "oui", "n", "no", "non", ""}:
                return word[:1] in {"y", "o"}
            echo("Error: answer y, yes, o or oui to go on; n, no, non or nothing to leave it.", err=err)
    except KeyboardInterrupt:
        raise click.Abort from None


def _read_line() -> str:
    # A signal that comes between the question and a read that blocks is heard at the next key only. So the
    # read begins when a line is there, and until then Python looks at its signals now and then.
    with contextlib.suppress(ValueError, OSError):  # Windows: its terminal can't be waited for
        while not select.select([sys.stdin], [], [], 0.1)[0]:
            pass
    line = sys.stdin.readline()
    if not line:
        raise click.Abort
    return line.strip()


def shell(path: object) -> str:
    """A path or word as it can be pasted behind a command."""
    text = str(path)
    if os.name == "nt":
        return f'"{text}"' if re.search(r"[\s&|<>^()%!]", text) else text
    return shlex.quote(text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal: where questions are answered, lines drawn over, or pages read."""
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # somebody's own in its place, or closed
        return False
