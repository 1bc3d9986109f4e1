"""`batchkit sandbox`: a practice server on this machine."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..sandbox.rules import LOGINS, META, SEO_PLUGINS, WINDOWS, Rules
from .family import DONE
from .options import count, together

_USUAL = Rules()


def _rule(name: str, takes: str | tuple[str, ...], text: str, default: str = "") -> Any:
    """The option of a rule: its default is the rule's own."""
    usual = getattr(_USUAL, name)
    form: dict[str, Any] = {"metavar": takes} if isinstance(takes, str) else {"type": click.Choice(takes)}
    if isinstance(usual, float):
        form["type"] = click.FloatRange(min=0)
    text = f"{text} Default: {default or usual}."
    return click.option(f"--{name.replace('_', '-')}", default=usual, help=text, **form)


_rules = together(
    _rule("token", "TEXT", "What `Authorization: Bearer` must hold.", "anybody may"),
    _rule(
        "password",
        "TEXT",
        "Application password of the WordPress users demo, admin, editor, author, subscriber.",
    ),
    _rule("wordpress_seo", SEO_PLUGINS, "Which SEO plugin the WordPress site has."),
    _rule(
        "wordpress_meta",
        META,
        "Whether its keys can be written, are refused where they begin with _, or unknown.",
    ),
    _rule("wordpress_login", LOGINS, "What a wrong password comes to: an anonymous visit, or a 401."),
    _rule("whatsapp_window", WINDOWS, "Whether all recipients wrote within 24 hours."),
    _rule(
        "whatsapp_pair_rate",
        "SECONDS",
        "Time that must lie between two messages to one recipient.",
        "none",
    ),
    _rule("whatsapp_undeliverable", "DIGITS", "Numbers that end so are not on WhatsApp."),
)


@click.command(short_help="A practice server, with faults to order.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="ORDER",
    help='What goes wrong, such as "429:5%:retry-after=2" or "drop-after-write:1%". Repeatable.',
)
@click.option("--latency", default="0", metavar="TIME", help="Time each answer takes: 50ms, or 20ms-80ms.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="SQLite file of items and requests. Default: in memory.",
)
@_rules
@click.option("--seed", type=int, metavar="N", help="Makes the faults the same each time.")
@count("--most-at-once", "Requests taken at once; more are answered 429.", 1)
@count("--keep-alive", "How long an idle connection is kept.", 1, usual=30, unit="SECONDS")
def sandbox(**wanted: Any) -> int:
    """Serve APIs on this machine to try jobs on, with faults to order; Ctrl-C ends it.

    A REST API at /items, a WordPress site at /wp-json, WhatsApp's Cloud API at /v23.0, and chat completions
    at /v1.

    Faults: a status such as 429, 500 or 503; reset, hang, html, login, firewall, redirect, maintenance; and,
    after the request was carried out: drop-after-write, hang-after-write, truncate, warnings, close.
    """
    from ..sandbox.server.serve import serve

    rules = Rules(**{field.name: wanted.pop(field.name) for field in fields(Rules)})
    serve(**wanted, rules=rules, say=click.echo)
    return DONE
