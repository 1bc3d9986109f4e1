"""Who the site takes us for, what that login may do, and what the doctor says of it."""

from __future__ import annotations

import re

import httpx
import pytest

from batchkit.core.errors import TargetError, TargetUnreachable, UsageError
from batchkit.core.states import RunState
from batchkit.targets.wordpress.target import WordPressTarget
from tests.support.wordpress_faults import meddled
from tests.support.wordpress_jobs import (
    TITLE,
    counts,
    job,
    outcomes,
    post,
    problems,
    run,
    target,
)
from tests.support.wordpress_site import WordPressSite

pytestmark = pytest.mark.usefixtures("logins")


def test_a_wrong_password_is_told_before_anything_is_read(
    wordpress: WordPressSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site answers a wrong password as if nobody had logged in: the plan ends, with what to check."""
    monkeypatch.setenv("wp_admin", "aaaa bbbb cccc dddd eeee ffff")
    with pytest.raises(TargetError, match="doesn't accept the login") as told:
        job(wordpress, {"id": ["1"], "title": ["x"]}).plan()
    assert "application password" in told.value.advice
    assert "aaaa" not in str(told.value)


def test_a_login_that_gets_lost_on_the_way(wordpress: WordPressSite) -> None:
    """A web server that keeps the Authorization header from WordPress looks the same, and is named too."""
    wordpress.set(anonymous=True)
    with pytest.raises(TargetError, match="as if nobody had logged in") as told:
        target(wordpress).connect()
    assert "Authorization header" in told.value.advice


def test_a_password_that_expires_meanwhile_ends_the_run(wordpress: WordPressSite) -> None:
    """401 in the middle fails the run; nothing is lost, and it resumes when the login is good again."""
    numbers = wordpress.new_posts(12)
    plan = job(wordpress, {"id": numbers, "seo_title": ["Titre"] * 12}).plan()

    def expire(request: httpx.Request, n: int) -> None:
        wordpress.set(anonymous=n >= 2)

    made = plan.start(chunk_size=4, delay=0, workers=1, target=meddled(wordpress, before=expire))
    assert made.wait(30) is RunState.FAILED
    assert "doesn't accept the login" in made.snapshot().message
    assert 0 < counts(made)["done"] < 12
    wordpress.set()
    made.resume()
    made.wait(30)
    assert counts(made) == {"done": 12}


def test_no_user_and_no_site(wordpress: WordPressSite) -> None:
    """An address without a user, one where nothing answers, and one where no WordPress is each say so."""
    with pytest.raises(UsageError, match="names no user"):
        WordPressTarget(f"wordpress+{wordpress.url}").connect()
    with pytest.raises(TargetUnreachable):
        WordPressTarget("wordpress+http://admin:{secret:wp_admin}@127.0.0.1:9").connect()
    page = httpx.MockTransport(lambda _: httpx.Response(404, html="<h1>Nothing here</h1>"))
    with pytest.raises(TargetError, match="No WordPress REST API"):
        target(wordpress, transport=page).connect()
    # An address that is not the front's leads to the API by the Link header of whatever page is there.
    astray = target(wordpress, url=f"{wordpress.url}/no/such/page")
    astray.connect()
    assert astray.site.home == wordpress.url


def test_an_author_and_other_peoples_posts(wordpress: WordPressSite) -> None:
    """Others' posts and all pages are missing to an author, and the plan says whose login that is."""
    (own,) = wordpress.new_posts(1, author="author")
    (others,) = wordpress.new_posts(1)
    (page,) = wordpress.new_posts(1, type="page")
    plan = job(wordpress, {"id": [own, others, page], "seo_title": ["Titre"] * 3}, user="author").plan()
    assert plan.counts == {"update": 1, "missing": 2}
    assert "author (author)" in problems(plan, "missing")[0].advice
    assert any("may edit no Pages" in each["message"] for each in plan.facts["notices"])
    assert counts(run(plan)) == {"done": 1, "rejected": 2}
    assert wordpress.meta(own)[TITLE] == "Titre"


def test_a_right_that_is_taken_away_meanwhile(wordpress: WordPressSite) -> None:
    """403 in JSON is this item's: it is rejected in WordPress's own words, and the others are written."""
    numbers = wordpress.new_posts(3, author="author")
    plan = job(wordpress, {"id": numbers, "status": ["draft"] * 3}, user="author").plan()
    asked = target(wordpress, "author")
    asked.connect()
    read = asked.read_now

    async def read_then_take(keys: object, fields: object) -> object:
        found = await read(keys, fields)  # type: ignore[arg-type]
        wordpress.sql(f"UPDATE wp_posts SET post_author = 1 WHERE ID = {numbers[1]}")
        return found

    asked.read_now = read_then_take  # type: ignore[method-assign, assignment]
    made = plan.start(delay=0, target=asked)
    made.wait(30)
    assert counts(made) == {"done": 2, "rejected": 1}
    told = outcomes(made)[str(numbers[1])]
    assert told["rule"] == "rest_cannot_edit"
    assert "not allowed to edit this post" in told["reason"]
    assert "editor" in told["advice"]
    assert post(wordpress, numbers[1])["post_status"] == "publish"


def test_a_subscriber_may_do_nothing(wordpress: WordPressSite) -> None:
    """A login that may edit nothing finds nothing, and the doctor calls it an error."""
    (number,) = wordpress.new_posts(1)
    plan = job(wordpress, {"id": [number], "title": ["x"]}, user="subscriber").plan()
    assert plan.counts == {"missing": 1}
    asked = target(wordpress, "subscriber")
    asked.connect()
    found = {each.name: each for each in asked.checkup()}
    assert found["right to edit Posts"].level == "error"


def test_what_the_doctor_says(wordpress: WordPressSite) -> None:
    """REST API, login, rights, SEO plugin, meta keys and batch/v1, each with what was found."""
    asked = target(wordpress, seo="auto")
    asked.connect()
    found = {each.name: each for each in asked.checkup()}
    assert {each.level for each in found.values()} == {"ok"}
    assert found["login"].found == "admin (administrator)"
    assert TITLE in found["meta keys of Posts"].found
    assert re.search(r"\b25\b", found["batch/v1"].found)
    asked = target(wordpress, "author")
    asked.connect()
    found = {each.name: each for each in asked.checkup()}
    assert found["right to edit Posts"].level == "warning"
    assert found["right to edit Pages"].level == "error"


def test_a_site_without_the_plugin(wordpress: WordPressSite) -> None:
    """Unregistered keys would be ignored in silence: rows say so beforehand, and so does the doctor."""
    (number,) = wordpress.new_posts(1)
    with wordpress.server(plugin=False) as bare:
        asked = target(wordpress, url=bare.url)
        asked.connect()
        found = {each.name: each for each in asked.checkup()}
        assert found["meta keys of Posts"].level == "error"
        assert "batchkit-seo-meta.php" in found["meta keys of Posts"].advice
        rows = {"id": [number], "title": ["Un titre"], "seo_title": ["x"]}
        plan = job(wordpress, rows, url=bare.url).plan()
        assert plan.counts == {"invalid": 1}
        told = problems(plan, "unregistered")[0]
        assert TITLE in told.message
        assert "mu-plugins" in told.advice


def test_a_site_that_has_moved(wordpress: WordPressSite) -> None:
    """A redirect to another host is told with the new address; the login is not sent there."""
    asked: list[httpx.Request] = []

    def moved(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(301, headers={"Location": "https://www.elsewhere.test/wp-json/"})

    with pytest.raises(TargetError, match=r"www\.elsewhere\.test") as told:
        target(wordpress, transport=httpx.MockTransport(moved)).connect()
    assert "write that address into the job" in told.value.advice
    assert {request.url.host for request in asked} == {"127.0.0.1"}
