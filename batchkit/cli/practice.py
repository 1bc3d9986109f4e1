"""`batchkit sandbox`: a practice server on this machine."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..sandbox.rules import LOGINS, META, SEO_PLUGINS, WINDOWS, Rules
from .family import DONE

_USUAL = Rules()


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
@click.option("--token", metavar="TEXT", help="What `Authorization: Bearer` must hold. Default: anybody may.")
@click.option(
    "--password",
    default=_USUAL.password,
    metavar="TEXT",
    help="Application password of the WordPress users demo, editor, author, subscriber. Default: practice.",
)
@click.option(
    "--wordpress-seo",
    type=click.Choice(SEO_PLUGINS),
    default=_USUAL.wordpress_seo,
    help="Which SEO plugin the WordPress site has. Default: yoast.",
)
@click.option(
    "--wordpress-meta",
    type=click.Choice(META),
    default=_USUAL.wordpress_meta,
    help="Whether its keys can be written, are refused where they begin with _, or unknown. Default: open.",
)
@click.option(
    "--wordpress-login",
    type=click.Choice(LOGINS),
    default=_USUAL.wordpress_login,
    help="What a wrong password comes to: an anonymous visit, or a 401. Default: anonymous.",
)
@click.option(
    "--whatsapp-window",
    type=click.Choice(WINDOWS),
    default=_USUAL.whatsapp_window,
    help="Whether all recipients wrote within 24 hours. Default: open.",
)
@click.option(
    "--whatsapp-pair-rate",
    type=click.FloatRange(min=0),
    default=_USUAL.whatsapp_pair_rate,
    metavar="SECONDS",
    help="Time that must lie between two messages to one recipient. Default: none.",
)
@click.option(
    "--whatsapp-undeliverable",
    default=_USUAL.whatsapp_undeliverable,
    metavar="DIGITS",
    help="Numbers that end so are not on WhatsApp. Default: 000.",
)
@click.option("--seed", type=int, metavar="N", help="Makes the faults the same each time.")
@click.option(
    "--most-at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="Requests taken at once; more are answered 429.",
)
@click.option(
    "--keep-alive",
    type=click.IntRange(min=1),
    default=30,
    metavar="SECONDS",
    help="How long an idle connection is kept. Default: 30.",
)
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
