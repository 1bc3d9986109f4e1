"""Posts found by slug and by address, in all the ways that people write them."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import UsageError
from batchkit.targets.wordpress.keys import candidates, plain_address, plain_slug
from batchkit.targets.wordpress.options import with_secret
from batchkit.targets.wordpress.target import WordPressTarget
from tests.support.wordpress_faults import meddled
from tests.support.wordpress_jobs import TITLE, counts, job, know_logins, outcomes, post, problems, run
from tests.support.wordpress_site import WordPressSite


@pytest.fixture
def site(wordpress: WordPressSite, monkeypatch: pytest.MonkeyPatch) -> WordPressSite:
    """The site, and the users' passwords as secrets."""
    know_logins(wordpress, monkeypatch)
    return wordpress


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/été/",
        "http://www.example.org/a/été",
        "https://EXAMPLE.org/a/%C3%A9t%C3%A9/?utm_source=x#top",
        "example.org/a/e\u0301te\u0301/",
        "https://example.org:443//a/été",
        "\ufeffhttps://example.org/a/été/\u200b",
    ],
)
def test_one_address_in_many_spellings(url: str) -> None:
    """Scheme, www, case, slash at the end, percent signs, two kinds of accents, tracking: no difference."""
    assert plain_address(url) == "example.org/a/été"


@given(st.lists(st.text("aé-б1", min_size=1, max_size=8), min_size=1, max_size=4))
def test_quoting_makes_no_difference(parts: list[str]) -> None:
    """However an address is quoted, it is the same, and its last part is the slug that is looked for."""
    path = "/".join(parts)
    assert plain_address(f"https://a.test/{path}/") == plain_address(f"http://a.test/{quote(path)}")
    assert plain_slug(parts[-1]) in candidates(f"https://a.test/{quote(path)}/")[0]


@pytest.mark.parametrize(
    ("url", "slugs", "ids"),
    [
        ("https://a.test/?p=12", (), (12,)),
        ("https://a.test/?page_id=7&preview=true", (), (7,)),
        ("https://a.test/", (), (3,)),
        ("https://a.test/?p=²", (), (3,)),
        ("\u200bhttps://a.test/?p=12\ufeff", (), (12,)),
        ("\ufeffhttps://a.test/²-été\u200b", ("²-été",), ()),
        ("https://a.test/archives/123", ("123",), (123,)),
        ("https://a.test/pod/my-post-1287553177", ("my-post-1287553177", "my-post"), (1287553177,)),
        ("https://a.test/12-my-post.html", ("12-my-post.html", "12-my-post", "my-post"), (12,)),
    ],
)
def test_where_a_post_is_looked_for(url: str, slugs: tuple[str, ...], ids: tuple[int, ...]) -> None:
    """Permalinks with ids in them, drafts' addresses and the front page are found too."""
    assert candidates(url, front_page=3) == (slugs, ids)


def test_the_address_of_the_target() -> None:
    """A user without a password has the secret's name; the API's or the dashboard's path is taken off."""
    assert with_secret("https://me@a.test/wp-json/") == "https://me:{secret:wp_password}@a.test"
    assert with_secret("https://me:{secret:x}@a.test/blog/wp-admin/") == "https://me:{secret:x}@a.test/blog"


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("{secret:u}", "me@example.org:pw"),
        ("{secret:u}:{secret:other}", "me@example.org:second"),
        ("me%40example.org", "me@example.org:pw"),
        ("me%40example.org:{secret:other}", "me@example.org:second"),
    ],
)
def test_users_in_the_address(login: str, sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may be a secret or an e-mail address, with the usual password's secret or with its own."""
    for name, value in {"u": "me@example.org", "wp_password": "pw", "other": "second"}.items():
        monkeypatch.setenv(name, value)
    header = WordPressTarget(f"wordpress+https://{login}@a.test").resolved_headers()["Authorization"]
    assert b64decode(header.removeprefix("Basic ")).decode() == sent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": ["sku"]}, "no key sku"),
        ({"key": ["id", "slug"]}, "no key id, slug"),
        ({"seo": "yost"}, "can't be 'yost'"),
        ({"typs": ["posts"]}, "Did you mean 'types'"),
        ({"call_size": 0}, "takes a number"),
        ({"batch": "maybe"}, "auto, yes, no"),
    ],
)
def test_a_wrong_option_says_what_is_wrong(options: dict[str, object], words: str) -> None:
    """A mistake in the job is found before anything is asked of the site."""
    with pytest.raises(UsageError, match=words):
        WordPressTarget("wordpress+https://me@a.test", **options)


def test_by_address(site: WordPressSite) -> None:
    """Each spelling finds its post, a page under its parent, a draft by its preview; others are told."""
    first, second, third = site.new_posts(3)
    (draft,) = site.new_posts(1, status="draft")
    parent, child, other = site.new_posts(3, type="page")
    site.sql(f"UPDATE wp_posts SET post_parent = {parent}, post_name = 'contact' WHERE ID = {child}")
    site.sql(f"UPDATE wp_posts SET post_name = 'contact' WHERE ID = {other}")
    site.sql(f"UPDATE wp_posts SET post_name = '%d0%bf%d1%80%d0%b8' WHERE ID = {third}")
    names = {n: post(site, n)["post_name"] for n in (first, second, parent)}
    rows = {
        "url": [
            f"{site.url}/{names[first]}/",
            f"{site.url.replace('http:', 'https:')}/{names[second]}?utm_source=mail",
            f"{site.url}/при/",
            f"{site.url}/?p={draft}",
            f"{site.url}/{names[parent]}/contact/",
            f"{site.url}/contact",
            f"{site.url}/nowhere/{names[first]}/",
            "https://elsewhere.test/a/",
        ],
        "seo_title": [f"Titre {n}" for n in range(8)],
    }
    plan = job(site, rows, key=["url"]).plan()
    assert plan.counts == {"update": 6, "missing": 1, "invalid": 1}
    assert "another site" in problems(plan, "url")[0].message
    made = run(plan)
    assert counts(made) == {"done": 6, "rejected": 2}, outcomes(made)
    stored = [site.meta(n)[TITLE] for n in (first, second, third, draft, child, other)]
    assert stored == [f"Titre {n}" for n in range(6)]
    assert counts(run(made.undo())) == {"done": 6}
    assert TITLE not in site.meta(third)


def test_addresses_that_a_run_changes(site: WordPressSite) -> None:
    """Posts that go by another address after the run, such as drafts, are undone all the same."""
    renamed, hidden, moved = site.new_posts(3)
    pages = site.new_posts(2, type="page")
    rows = {
        "url": [f"{site.url}/{post(site, n)['post_name']}/" for n in (renamed, hidden, moved, pages[0])],
        "slug": ["nouveau-nom", None, None, None],
        "status": [None, "draft", "future", None],
        "date": [None, None, "2035-01-02 03:04:05", None],
        "parent": [None, None, None, str(pages[1])],
    }
    before = [post(site, n) for n in (renamed, hidden, moved, pages[0])]
    made = run(job(site, rows, key=["url"]).plan())
    assert counts(made) == {"done": 4}, outcomes(made)
    assert post(site, renamed)["post_name"] == "nouveau-nom"
    assert [post(site, n)["post_status"] for n in (hidden, moved)] == ["draft", "future"]
    undo = run(made.undo())
    assert counts(undo) == {"done": 4}, outcomes(undo)
    assert [post(site, n) for n in (renamed, hidden, moved, pages[0])] == before
    assert site.sql(f"SELECT post_parent FROM wp_posts WHERE ID = {pages[0]}") == [("0",)]
    again = run(undo.undo())
    assert counts(again) == {"done": 4}, outcomes(again)


def test_an_address_that_changed_while_nobody_answered(site: WordPressSite) -> None:
    """A post whose new slug was stored although no answer came is found by its id, and no conflict."""
    (number,) = site.new_posts(1)

    def lost(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response:
        return httpx.Response(500, text="gone away")

    rows = {"url": [f"{site.url}/{post(site, number)['post_name']}/"], "slug": ["ailleurs"]}
    asked = meddled(site, after=lost, key=("url",), batch="no")
    made = run(job(site, rows, key=["url"]).plan(), target=asked, retries=1)
    assert counts(made) == {"done": 1}, outcomes(made)
    assert post(site, number)["post_name"] == "ailleurs"


def test_two_spellings_of_one_address_are_twins(site: WordPressSite) -> None:
    """A post named twice in the file is written by neither row."""
    (number,) = site.new_posts(1)
    name = post(site, number)["post_name"]
    rows = {"url": [f"{site.url}/{name}/", f"{site.url}/{name}"], "seo_title": ["A", "B"]}
    assert job(site, rows, key=["url"]).plan().counts == {"duplicate": 2}


def test_by_slug(site: WordPressSite) -> None:
    """A slug finds its post; one that a post and a page share is not unique, unless the type is told."""
    first, second = site.new_posts(2)
    (page,) = site.new_posts(1, type="page")
    site.sql(f"UPDATE wp_posts SET post_name = 'shared-slug' WHERE ID IN ({second}, {page})")
    rows = {"slug": [post(site, first)["post_name"], "shared-slug"], "seo_title": ["Un", "Deux"]}
    plan = job(site, rows, key=["slug"], mode="update").plan()
    assert plan.counts == {"update": 1, "invalid": 1}
    assert problems(plan, "key_not_unique")
    plan = job(site, {**rows, "type": ["post", "page"]}, key=["slug"], mode="update").plan()
    assert plan.counts == {"update": 2}
    assert counts(run(plan)) == {"done": 2}
    assert site.meta(page)[TITLE] == "Deux"
    assert TITLE not in site.meta(second)


def test_ids_are_never_made(site: WordPressSite) -> None:
    """An id that isn't there is missing in every mode: WordPress gives new posts their ids itself."""
    rows = {"id": ["99999998", "0"], "title": ["x", "y"]}
    assert job(site, rows, mode="upsert").plan().counts == {"missing": 1, "invalid": 1}
