"""What a doctor says of a site: what works with this login, what doesn't, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from ...core.problem import Problem, notice, warning
from ..base import Finding
from .failures import PLUGIN, SAY_PLUGIN
from .login import User
from .options import Options
from .places import Kind
from .site import PostType, Site

_OTHERS: Final = {"post": "edit_others_posts", "page": "edit_others_pages"}
_SHOWN: Final = 10
_HOW: Final = {
    "plugin": "active",
    "keys": "by the meta keys that the site shows",
    "texts": "by the texts that posts have",
}


def findings(site: Site | None, options: Options) -> Iterator[Finding]:
    """What there is to say of a site.

    Args:
        site: The site; None where it could not be reached.
        options: What the job says of it.
    """
    if site is None:
        return
    yield Finding("REST API", "ok", f"{site.root} ({site.name})")
    yield from _login(site)
    yield _seo(site)
    yield from (_meta(each) for each in site.types.values())
    yield _batch(site, options)


def site_notices(
    site: Site, closed: Collection[str], *, creates: bool, new_terms: Mapping[str, Collection[str]]
) -> list[Problem]:
    """What a plan as a whole should know of a site.

    Args:
        site: The site.
        closed: Names of types that this login may edit none of.
        creates: The plan may create posts.
        new_terms: Terms that rows name and that will be made, by taxonomy.
    """
    found = []
    for name in sorted(closed):
        login = f"The login {site.user.words}" if site.user else "This login"
        none = f"{login} may edit no {name}, so none of them is found."
        found.append(warning("rights", none, "Use an editor's login."))
    seo = site.seo
    if seo.others and seo.preset:
        could = f"SEO texts go to {seo.preset.title}; it could be {', '.join(seo.others)} too."
        found.append(warning("seo", could, SAY_PLUGIN))
    if creates:
        kept = "An undo moves posts that are created to the trash; it deletes none for good."
        found.append(notice("undo", kept))
    for name, terms in new_terms.items():
        listed = ", ".join([*sorted(terms)[:_SHOWN], *(["..."] if len(terms) > _SHOWN else [])])
        made = f"The run makes {name} that the site lacks ({listed}); they stay there after an undo."
        found.append(notice("undo", made, "Delete at the site those that nobody uses then."))
    return found


def _login(site: Site) -> Iterator[Finding]:
    user = site.user
    if user is None:
        yield Finding("login", "ok", "accepted; the site doesn't say who it is")
        return
    yield Finding("login", "ok", user.words)
    for kind in site.types.values():
        right, name = f"right to edit {kind.name}", _OTHERS.get(kind.slug)
        if name is None:
            continue
        if name in user.may:
            yield Finding(right, "ok", "all")
        elif name.replace("_others", "") in user.may:
            yield Finding(right, "warning", "its own alone", "Use an editor's login for others'.")
        else:
            yield Finding(right, "error", "none", "Use an editor's login.")


def edits_all(user: User, site: Site) -> bool:
    """Whether a login may edit all posts of all types; False where the site doesn't tell."""
    return all(_OTHERS.get(kind.slug) in user.may for kind in site.types.values())


def _seo(site: Site) -> Finding:
    seo = site.seo
    if seo.preset is None:
        if seo.because == "said":
            return Finding("SEO plugin", "ok", "none, as the job says")
        lost = "none found, so seo_title and seo_description can't be written"
        return Finding("SEO plugin", "warning", lost, SAY_PLUGIN)
    found = f"{seo.preset.title} ({_HOW.get(seo.because, 'as the job says')})"
    if seo.others:
        return Finding("SEO plugin", "warning", f"{found}; or {', '.join(seo.others)}", SAY_PLUGIN)
    return Finding("SEO plugin", "ok", found)


def _meta(kind: PostType) -> Finding:
    name = f"meta keys of {kind.name}"
    if not kind.shown:
        advice = "Let OPTIONS through at the firewall."
        return Finding(name, "warning", "the site doesn't show its schema", advice)
    places = kind.places.values()
    keys = sorted({each.at for each in places if each.kind is Kind.META and each.registered})
    closed = sorted({each.at for each in places if each.at and not each.registered})
    if closed:
        return Finding(name, "error", f"not writable: {', '.join(closed)}", PLUGIN)
    return Finding(name, "ok", f"{len(keys)} shown: {', '.join(keys[:12])}" if keys else "none shown")


def _batch(site: Site, options: Options) -> Finding:
    if options.batch == "no":
        return Finding("batch/v1", "ok", "not used, as the job says")
    if site.batch:
        return Finding("batch/v1", "ok", f"up to {site.batch} writes a call")
    return Finding(
        "batch/v1", "warning", "not offered: posts are written one by one", "WordPress 5.6 and later has it."
    )
