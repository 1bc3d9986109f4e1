"""SEO plugins: which one a site has, and where it keeps titles and descriptions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

TITLE, DESCRIPTION = "seo_title", "seo_description"

_WARNED: Final = {"unique": True, "warn": ("min_length", "max_length", "unique")}
SEO_CHECKS: Final[Mapping[str, Mapping[str, Any]]] = {
    TITLE: {"min_length": 30, "max_length": 60, **_WARNED},
    DESCRIPTION: {"min_length": 70, "max_length": 160, **_WARNED},
}
"""What search engines show of a title and of a description; only warnings."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A plugin.

    Attributes:
        name: How the job calls it, and its namespace among REST routes.
        title: How people call it.
        keys: Meta key by field.
        property: Property of posts by which the plugin takes its texts itself; empty for none.
        parts: Key in that property, by field.
    """

    name: str
    title: str
    keys: Mapping[str, str]
    property: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


PRESETS: Final[Mapping[str, Preset]] = {
    each.name: each
    for each in (
        Preset("yoast", "Yoast SEO", {TITLE: "_yoast_wpseo_title", DESCRIPTION: "_yoast_wpseo_metadesc"}),
        Preset("rankmath", "Rank Math", {TITLE: "rank_math_title", DESCRIPTION: "rank_math_description"}),
        Preset(
            "seopress", "SEOPress", {TITLE: "_seopress_titles_title", DESCRIPTION: "_seopress_titles_desc"}
        ),
        # Its posts' texts are in a table of its own; with its REST add-on they are a property of the post.
        Preset(
            "aioseo",
            "All in One SEO",
            {TITLE: "_aioseo_title", DESCRIPTION: "_aioseo_description"},
            property="aioseo_meta_data",
            parts={TITLE: "title", DESCRIPTION: "description"},
        ),
    )
}
NOWHERE: Final = Preset("", "no SEO plugin", {TITLE: "", DESCRIPTION: ""})
"""Stands for the plugin of a site where none is found: its fields are there, and can't be written."""

CHOICES: Final = ("auto", *PRESETS, "none")


@dataclass(frozen=True, slots=True)
class Seo:
    """Which plugin's texts are written.

    Attributes:
        preset: The plugin; None where the site has none.
        because: How it was found out: `said`, `plugin` (it is there), `keys` (only its keys are), `texts`
            (posts have texts under its keys) or `nothing`.
        others: Titles of other plugins that it could be as well.
    """

    preset: Preset | None = None
    because: str = "said"
    others: tuple[str, ...] = ()


def find_seo(chosen: str, namespaces: Collection[str], properties: Collection[str]) -> Seo:
    """The plugin that a site has.

    Args:
        chosen: One of `CHOICES`.
        namespaces: Namespaces of the site's REST routes.
        properties: Meta keys and properties that the site shows of its posts.
    """
    if chosen != "auto":
        return Seo(PRESETS.get(chosen))
    shown = {
        name
        for name, each in PRESETS.items()
        if set(each.keys.values()) & set(properties) or each.property in properties
    }
    active = [name for name in PRESETS if f"{name}/v1" in namespaces]
    # A plugin that is there and whose keys can be written goes before one that only left its keys.
    for because, names in (
        ("plugin", [name for name in active if name in shown]),
        ("plugin", active),
        ("keys", [name for name in PRESETS if name in shown]),
    ):
        if names:
            others = tuple(PRESETS[name].title for name in names[1:])
            return Seo(PRESETS[names[0]], because, others)
    return Seo(None, "nothing")


def by_texts(seo: Seo, posts: Iterable[Mapping[str, Any]]) -> Seo:
    """Of several plugins whose keys a site shows, the one under whose keys its posts have texts.

    Args:
        seo: What the keys alone say.
        posts: Some posts, with their meta.
    """
    counts = dict.fromkeys(PRESETS, 0)
    for post in posts:
        meta = post.get("meta") or {}
        for name, preset in PRESETS.items():
            counts[name] += any(key in meta and meta[key] for key in preset.keys.values())
    most = max(counts.values())
    # A few texts may be left of a plugin that is gone.
    enough = (name for name, count in counts.items() if count and count >= most / 4)
    filled = sorted(enough, key=lambda name: -counts[name])
    if not filled:
        return seo
    return Seo(PRESETS[filled[0]], "texts", tuple(PRESETS[name].title for name in filled[1:]))
