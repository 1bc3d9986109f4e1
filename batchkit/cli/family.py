"""The command itself: verbs in groups, and how each error becomes a sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..core.advice import as_command, sentence, spoken
from ..core.errors import BatchkitError, DiskFull, RunError, RunFailed, TargetError, UsageError
from ..core.files import FULL
from . import console, wrapping

DONE, SOME_FAILED, USAGE, FAILED, STOPPED = 0, 1, 2, 3, 4
"""The exit codes: all done; some rows failed; the call is wrong; the run failed; paused or stopped."""


class Verbs(click.Group):
    """A click group whose verbs return an exit code and whose errors are sentences."""

    groups: dict[str, list[str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = {}

    def add_family(self, title: str, *verbs: click.Command) -> None:
        """Add verbs that the help lists under `title`, in this order."""
        for verb in verbs:
            self.add_command(verb)
            self.groups.setdefault(title, []).append(str(verb.name))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All verbs in the order of the story."""
        return [name for names in self.groups.values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The verbs in groups, each with its first sentence."""
        for title, names in self.groups.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(90)) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is called; a file in its place is met with the verb for files."""
        if args[0] not in self.commands and Path(args[0]).is_file():
            raise UsageError(
                f"{args[0]} is a file, not a verb.",
                advice=f"Did you mean: batchkit look {console.shell(args[0])}",
            )
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a verb and leave with its exit code (return it when `standalone_mode` is off)."""
        console.prepare_streams()
        words = list(sys.argv[1:] if args is None else args)
        extra.setdefault("color", console.colour_wanted())
        with spoken(as_command):
            code = _guard(
                lambda: super(Verbs, self).main(
                    args,
                    prog_name,
                    complete_var,
                    standalone_mode=False,
                    windows_expand_args=windows_expand_args,
                    **extra,
                ),
                with_json="--json" in words,
            )
        return leave(code) if standalone_mode else code


def leave(code: int) -> None:
    """End the process; a reader that has gone away is no reason for a message."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, OSError, ValueError):
        console.mute()
    sys.exit(code)


def _guard(verb: Any, *, with_json: bool) -> int:
    """Call the verb; whatever it raises becomes a sentence and an exit code."""
    try:
        code = verb()
        return code if isinstance(code, int) else DONE
    except (click.Abort, KeyboardInterrupt, EOFError):
        failure = Failure("Interrupted.", "", STOPPED)
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "batchkit"
        advice = f"Try '{where} --help'." if isinstance(error, click.UsageError) else ""
        failure = Failure(error.format_message(), advice, USAGE)
    except Exception as error:  # noqa: BLE001 - the last door: an operator gets a sentence, the log the rest
        if isinstance(error, OSError) and error.errno == errno.EPIPE:  # who read along has gone away
            console.mute()
            return DONE
        if os.environ.get("BATCHKIT_DEBUG"):
            traceback.print_exc()
        failure = _explain(error)
    return tell(failure, with_json=with_json)


class Failure(NamedTuple):
    """What an operator is told of an error: what happened, what to do next, and the exit code."""

    message: str
    advice: str
    code: int


def _explain(error: Exception) -> Failure:
    if isinstance(error, BatchkitError):
        # What a run can't do now (busy, finished) is a wrong call, not a failure.
        refused = isinstance(error, RunError) and not isinstance(error, RunFailed)
        advice = before_a_run(error.advice) if isinstance(error, TargetError) else error.advice
        return Failure(error.message, advice, USAGE if refused else error.exit_code)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        if error.errno in FULL:
            return Failure(f"The disk is full{where}.", "Free some room and try again.", DiskFull.exit_code)
        if error.strerror and error.filename:
            return Failure(f"{error.strerror}{where}.", "Check the path and its permissions.", USAGE)
    first = (str(error).splitlines() or [""])[0].strip()
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    path = _write_log(error)
    advice = f"The whole of it is in {path}." if path else "Set BATCHKIT_DEBUG=1 to see the whole of it."
    return Failure(f"Something unforeseen went wrong ({console.shorten(what, 300)}).", advice, FAILED)


def before_a_run(advice: str) -> str:
    """Advice about a target where there is no run yet, and so none that could be resumed."""
    return _RESUMING.sub(".", advice)


_RESUMING = re.compile(r"[,;] (?:then resume|the run can be resumed)[^.]*\.")


def tell(failure: Failure, *, with_json: bool) -> int:
    """Say what went wrong, to people on stderr or to programs as JSON on stdout, and return the exit code."""
    message, advice, code = (*map(_redacted, failure[:2]), failure.code)
    try:
        if with_json:
            click.echo(console.as_json({"error": {"message": message, "advice": advice}}))
        else:
            label = "" if code == STOPPED else "Error: "
            said = wrapping.wrap_words(label + sentence(message)).removeprefix(label)
            click.echo(
                click.style(label, fg="red", bold=True) + said, err=True, color=console.colour_wanted()
            )
            if advice:
                click.echo(wrapping.wrap_words(advice), err=True)
    except OSError:
        console.mute()
    return code


def _write_log(error: Exception) -> str:
    """Append the traceback to the log of the home folder; the path, or nothing when it can't be written."""
    from ..core.home import home

    with contextlib.suppress(Exception):
        path = home() / "logs" / "errors.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        with path.open("a", encoding="utf-8") as file:
            file.write(
                f"--- {datetime.now().astimezone().isoformat(timespec='seconds')}\n{_redacted(text)}\n"
            )
        return str(path)
    return ""


def _redacted(text: str) -> str:
    from ..core import secrets

    return str(secrets.redact(text))
