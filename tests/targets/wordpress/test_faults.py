"""What goes wrong between us and a real WordPress: nothing is lost, nothing is done twice, and it is told."""

from __future__ import annotations

import json
import re
import time

import httpx
import pytest

from batchkit.core.errors import TargetError
from batchkit.core.states import RunState
from batchkit.planning.plan import Plan
from tests.support.sandboxes import until
from tests.support.wordpress_faults import After, meddled
from tests.support.wordpress_jobs import TITLE, counts, job, outcomes, run, target
from tests.support.wordpress_site import WordPressSite

LOGIN_PAGE = '<html><title>Log in</title><form><input type="password" name="pwd"></form></html>'
MODES = pytest.mark.parametrize("batch", ["yes", "no"])


pytestmark = pytest.mark.usefixtures("logins")


@pytest.fixture
def numbers(wordpress: WordPressSite) -> list[int]:
    """Twelve posts."""
    return wordpress.new_posts(12)


def titled(site: WordPressSite, numbers: list[int]) -> int:
    """How many of the posts have the wanted title."""
    return sum(site.meta(n).get(TITLE) == "Titre" for n in numbers)


def titles(site: WordPressSite, numbers: list[int], **target: str) -> Plan:
    """A plan that gives the posts their title."""
    return job(site, {"id": numbers, "seo_title": ["Titre"] * len(numbers)}, target=target).plan()


@MODES
def test_a_504_after_the_write(wordpress: WordPressSite, numbers: list[int], batch: str) -> None:
    """A gateway that gave up on what was written: an update is sent again, and each is done once."""

    def gateway(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response | None:
        return httpx.Response(504, html="<h1>504 Gateway Time-out</h1>") if n in (1, 2) else None

    plan = titles(wordpress, numbers, batch=batch)
    made = run(plan, target=meddled(wordpress, after=gateway, batch=batch))
    assert counts(made) == {"done": 12}, outcomes(made)
    assert made.snapshot().retries > 0
    assert titled(wordpress, numbers) == 12


def test_a_create_that_nobody_answered(wordpress: WordPressSite) -> None:
    """A post that was made before the answer got lost is found by its slug, and not made twice."""

    def lost(request: httpx.Request, n: int, answer: httpx.Response) -> Exception | None:
        return httpx.ReadError("connection reset") if n == 1 else None

    slugs = [f"perdu-{n}" for n in range(4)]
    plan = job(wordpress, {"slug": slugs, "title": [f"Perdu {n}" for n in range(4)]}, key=["slug"]).plan()
    made = run(plan, workers=1, target=meddled(wordpress, after=lost, key=("slug",), batch="no"))
    assert counts(made) == {"done": 4}, outcomes(made)
    ((count,),) = wordpress.sql("SELECT count(*) FROM wp_posts WHERE post_name LIKE 'perdu-_'")
    assert count == "4"


@MODES
def test_the_site_goes_down_in_the_middle(wordpress: WordPressSite, numbers: list[int], batch: str) -> None:
    """A dead site ends the run, which stays resumable; resumed, it does the rest and nothing twice."""
    dead = False

    def die(request: httpx.Request, n: int) -> None:
        nonlocal dead
        if n == 3:
            wordpress.stop()
            dead = True

    plan = titles(wordpress, numbers, batch=batch)
    made = run(
        plan,
        target=meddled(wordpress, before=die, batch=batch),
        chunk_size=3,
        call_size=3 if batch == "yes" else None,
        workers=1,
        connection_limit=2,
        retries=1,
    )
    assert dead
    assert made.snapshot().state is RunState.FAILED
    wordpress.start()
    before = counts(made)["done"]
    assert 0 < before < 12
    made.resume()
    assert made.wait(60) is RunState.FINISHED
    assert counts(made) == {"done": 12}
    assert titled(wordpress, numbers) == 12


def test_maintenance_mode_while_planning(wordpress: WordPressSite, numbers: list[int]) -> None:
    """503 for ten minutes is told at once instead of waited for."""
    wordpress.set(maintenance=True)
    with pytest.raises(TargetError, match="maintenance") as told:
        titles(wordpress, numbers)
    assert re.search(r"come back in \d+ minutes", told.value.advice)


def test_maintenance_mode_while_running(wordpress: WordPressSite, numbers: list[int]) -> None:
    """503 with Retry-After holds the whole run as long as the operator lets it; then it goes on by itself."""
    asked = 0

    def on_and_off(request: httpx.Request, n: int) -> None:
        nonlocal asked
        asked = n
        wordpress.set(maintenance=n == 1)

    plan = titles(wordpress, numbers)
    made = run(plan, target=meddled(wordpress, before=on_and_off), retry_after_max=0.3, workers=1)
    assert counts(made) == {"done": 12}
    assert asked > 1


def test_maintenance_is_over_when_the_site_says_so(
    wordpress: WordPressSite, numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """WordPress names ten minutes whatever it does: the run goes on when the site is back, unasked."""
    monkeypatch.setattr("batchkit.running.outage.FIRST_LOOK", 0.2)

    def begin(request: httpx.Request, n: int) -> None:
        wordpress.set(maintenance=n == 1)

    plan = titles(wordpress, numbers)
    made = plan.start(target=meddled(wordpress, before=begin), delay=0, backoff=0.05, workers=1)
    until(lambda: "the target asked to wait" in made.snapshot().limiter, 30)
    wordpress.set(maintenance=False)
    assert made.wait(60) is RunState.FINISHED, made.snapshot().message
    assert counts(made) == {"done": 12}
    assert titled(wordpress, numbers) == 12


@MODES
def test_a_gateway_before_a_dead_site_is_waited_out(
    wordpress: WordPressSite, numbers: list[int], batch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """502 to everything for a while costs time and no post, and calls carry as many posts as before."""
    monkeypatch.setattr("batchkit.running.outage.FIRST_LOOK", 0.1)
    refusals = 0

    def die(request: httpx.Request, n: int) -> None:
        nonlocal refusals
        refusals = 8 if n == 3 else refusals

    def gateway() -> httpx.Response | None:
        nonlocal refusals
        if not refusals:
            return None
        refusals -= 1
        return httpx.Response(502, html="<h1>502 Bad Gateway</h1>")

    asked = meddled(wordpress, before=die, instead=gateway, batch=batch)
    made = run(
        titles(wordpress, numbers),
        target=asked,
        chunk_size=2,
        call_size=2 if batch == "yes" else None,
        workers=2,
        retries=1,
        wait_for_target=60,
    )
    assert counts(made) == {"done": 12}, (made.snapshot().message, outcomes(made))
    assert refusals == 0
    assert titled(wordpress, numbers) == 12
    assert asked.call_size == (25 if batch == "yes" else 1)


def test_a_page_that_asks_for_a_login(wordpress: WordPressSite, numbers: list[int]) -> None:
    """A login page where JSON should be ends the run; what was written before is on record."""

    def page(request: httpx.Request, n: int) -> httpx.Response | None:
        return httpx.Response(200, html=LOGIN_PAGE) if n > 4 else None

    plan = titles(wordpress, numbers, batch="no")
    made = run(plan, target=meddled(wordpress, before=page, batch="no"), workers=1)
    assert made.snapshot().state is RunState.FAILED
    assert "asks for a login" in made.snapshot().message
    assert counts(made) == {"done": 4, "pending": 8}
    assert titled(wordpress, numbers) == 4


@MODES
def test_warnings_before_the_json(wordpress: WordPressSite, numbers: list[int], batch: str) -> None:
    """What PHP prints before an answer is read over."""
    wordpress.set(warning="Undefined index")
    made = run(titles(wordpress, numbers, batch=batch))
    assert counts(made) == {"done": 12}
    assert titled(wordpress, numbers) == 12


def test_a_firewall_slows_us(wordpress: WordPressSite, numbers: list[int]) -> None:
    """403 with a page is a firewall's limit: the run backs off and goes on; no item is called forbidden."""

    def refuse(request: httpx.Request, n: int) -> httpx.Response | None:
        return httpx.Response(403, html="<h1>Too many requests</h1>") if n in (2, 3) else None

    plan = titles(wordpress, numbers, batch="no")
    made = run(plan, target=meddled(wordpress, before=refuse, batch="no"), retry_after_max=0.2)
    assert counts(made) == {"done": 12}


def test_a_batch_of_which_some_fail(wordpress: WordPressSite, numbers: list[int]) -> None:
    """In a batch each item has an outcome of its own: gone, asked for again, done."""
    gone, slow = numbers[3], numbers[5]

    def delete(request: httpx.Request, n: int) -> None:
        wordpress.sql(f"DELETE FROM wp_posts WHERE ID = {gone}")

    def busy(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response | None:
        if n > 1:
            return None
        told = answer.json()
        told["responses"][5] = {
            "status": 429,
            "headers": [],
            "body": {"code": "slow", "message": "Slow down"},
        }
        return httpx.Response(207, json=told)

    plan = titles(wordpress, numbers)
    made = run(plan, target=meddled(wordpress, before=delete, after=busy), workers=1)
    assert counts(made) == {"done": 11, "rejected": 1}, outcomes(made)
    told = outcomes(made)
    assert told[str(gone)]["rule"] == "rest_post_invalid_id"
    assert told[str(slow)]["attempts"] == 2
    assert titled(wordpress, numbers) == 11


def mixed(*kinds: tuple[int, str, dict[str, str]], first: int = 1) -> After:
    """Has the first items of the first calls of batch/v1 fail, each in its way."""

    def after(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response | None:
        if n > first or "batch" not in str(request.url):
            return None
        told = answer.json()
        for at, (status, code, headers) in enumerate(kinds):
            body = {"code": code, "message": f"{code} is why"}
            told["responses"][at] = {"status": status, "headers": headers, "body": body}
        return httpx.Response(207, json=told)

    return after


def test_a_batch_that_fails_in_two_ways(wordpress: WordPressSite, numbers: list[int]) -> None:
    """Items of one call that fail differently, for ever, keep their reasons, and the wait they ask for."""
    ways: tuple[tuple[int, str, dict[str, str]], ...] = (
        (503, "db_busy", {"Retry-After": "1"}),
        (429, "slow", {}),
    )
    asked = meddled(wordpress, after=mixed(*ways, first=99))
    start = time.monotonic()
    made = run(titles(wordpress, numbers), target=asked, retries=1, workers=1)
    assert counts(made)["done"] == 10
    assert "is why" in made.snapshot().message + str([each["reason"] for each in outcomes(made).values()])
    assert time.monotonic() - start > 1


def test_a_login_that_ends_within_a_batch(wordpress: WordPressSite, numbers: list[int]) -> None:
    """401 for one item of a call ends the run; what the others became is on record, and it resumes."""
    asked = meddled(wordpress, after=mixed((401, "rest_not_logged_in", {}), (429, "slow", {})))
    made = run(titles(wordpress, numbers), target=asked, workers=1)
    assert made.snapshot().state is RunState.FAILED
    assert "doesn't accept the login" in made.snapshot().message
    assert counts(made) == {"done": 10, "pending": 2}, outcomes(made)
    assert len(asked._transport.writes) == 1  # type: ignore[union-attr]
    made.resume()
    assert made.wait(30) is RunState.FINISHED
    assert counts(made) == {"done": 12}


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": 999999, "meta": {}}', "null"])
def test_an_answer_that_is_none(wordpress: WordPressSite, body: str) -> None:
    """200 from a cache, with another post or with none, is never taken for done, nor for cleared."""
    (number,) = wordpress.new_posts(1, meta={TITLE: "Old"})
    plan = job(wordpress, {"id": [number], "seo_title": [None]}).plan()
    assert plan.counts == {"update": 1}

    def cache(request: httpx.Request, n: int) -> httpx.Response:
        return httpx.Response(200, text=body, headers={"content-type": "application/json"})

    made = run(plan, target=meddled(wordpress, before=cache, batch="no"), retries=1)
    assert counts(made) == {"rejected": 1}, outcomes(made)
    told = outcomes(made)[str(number)]
    assert "WordPress answered with" in told["reason"]
    assert "cache" in told["advice"]
    assert wordpress.meta(number)[TITLE] == "Old"


def test_an_answer_without_what_was_sent(wordpress: WordPressSite, numbers: list[int]) -> None:
    """The right post without the field proves nothing; where it was written after all, it is done."""

    def bare(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response:
        return httpx.Response(200, json={"id": answer.json()["id"]})

    rows = {"id": numbers[:1], "title": ["Neuf"]}
    asked = meddled(wordpress, after=bare, batch="no")
    made = run(job(wordpress, rows).plan(), target=asked, retries=1)
    assert made.snapshot().retries == 1
    assert counts(made) == {"done": 1}, outcomes(made)


def test_a_new_post_without_an_id(wordpress: WordPressSite) -> None:
    """A create whose answer names no post is looked up by its slug, and not made twice."""

    def bare(request: httpx.Request, n: int, answer: httpx.Response) -> httpx.Response:
        return httpx.Response(201, json={"title": {"raw": "Neuf"}})

    asked = meddled(wordpress, after=bare, key=("slug",), batch="no")
    plan = job(wordpress, {"slug": ["sans-id"], "title": ["Neuf"]}, key=["slug"]).plan()
    made = run(plan, target=asked)
    assert counts(made) == {"done": 1}, outcomes(made)
    assert wordpress.sql("SELECT count(*) FROM wp_posts WHERE post_name = 'sans-id'") == [("1",)]


def test_a_batch_that_is_refused_as_a_whole(wordpress: WordPressSite, numbers: list[int]) -> None:
    """A batch that a server finds too large is halved until it passes."""

    def narrow(request: httpx.Request, n: int) -> httpx.Response | None:
        many = len(json.loads(request.content)["requests"]) if "batch" in str(request.url) else 1
        return httpx.Response(413, html="<h1>413 Too Large</h1>") if many > 4 else None

    made = run(titles(wordpress, numbers), target=meddled(wordpress, before=narrow))
    assert counts(made) == {"done": 12}
    assert titled(wordpress, numbers) == 12


def test_a_site_without_batch(wordpress: WordPressSite, numbers: list[int]) -> None:
    """Types that batch/v1 doesn't take are written one by one beside it; they are found out by trying."""
    images = wordpress.new_posts(3, type="attachment", status="inherit")
    rows = {
        "id": [*numbers, *images],
        "type": ["post"] * 12 + ["attachment"] * 3,
        "title": [f"Titre {n}" for n in (*numbers, *images)],
    }
    plan = job(wordpress, rows, target={"types": ["posts", "media"]}).plan()
    assert plan.counts == {"update": 15}
    made = run(plan)
    assert counts(made) == {"done": 15}, outcomes(made)
    ((title,),) = wordpress.sql(f"SELECT post_title FROM wp_posts WHERE ID = {images[0]}")
    assert title == f"Titre {images[0]}"


def test_a_slow_site(wordpress: WordPressSite, numbers: list[int]) -> None:
    """Answers that always come too late: what was written all the same is looked up, and done."""
    wordpress.set(sleep_after=1.2, only=["POST"])
    plan = titles(wordpress, numbers[:2])
    made = plan.start(delay=0, backoff=0.05, timeout=0.4, retries=1)
    made.wait(60)
    wordpress.set()
    assert titled(wordpress, numbers) == 2
    assert counts(made) == {"done": 2}, outcomes(made)
    again = titles(wordpress, numbers[:2])
    assert again.counts == {"unchanged": 2}


def test_a_dry_run_writes_nothing(wordpress: WordPressSite, numbers: list[int]) -> None:
    """It asks and compares, and sends no write."""
    asked = meddled(wordpress)
    made = run(titles(wordpress, numbers), target=asked, dry_run=True)
    assert counts(made) == {"done": 12}
    assert asked._transport.writes == []  # type: ignore[union-attr]
    assert titled(wordpress, numbers) == 0


def test_plain_permalinks(wordpress: WordPressSite, numbers: list[int]) -> None:
    """A site without pretty addresses has its API at ?rest_route=, and is found and written there."""
    names = "('permalink_structure', 'rewrite_rules')"
    kept = wordpress.sql(f"SELECT option_name, option_value FROM wp_options WHERE option_name IN {names}")
    wordpress.sql(f"UPDATE wp_options SET option_value = '' WHERE option_name IN {names}")
    try:
        asked = target(wordpress)
        asked.connect()
        assert "rest_route=" in asked.site.root
        assert counts(run(titles(wordpress, numbers))) == {"done": 12}
        assert titled(wordpress, numbers) == 12
    finally:
        for name, value in kept:
            wordpress.sql(f"UPDATE wp_options SET option_value = '{value}' WHERE option_name = '{name}'")


def test_posts_that_take_long_each(wordpress: WordPressSite, numbers: list[int]) -> None:
    """A batch that doesn't fit into a call's time is halved until it does; later calls carry fewer."""
    slow = "<?php add_action( 'save_post', function () { usleep( 130000 ); } );"
    with wordpress.server() as own:
        (own.www / "wp-content" / "mu-plugins" / "slow.php").write_text(slow)
        rows = {"id": numbers, "seo_title": ["Titre"] * 12}
        made = run(job(wordpress, rows, url=own.url).plan(), timeout=1, workers=1)
    assert counts(made) == {"done": 12}, outcomes(made)
    assert titled(wordpress, numbers) == 12


def test_a_plugin_that_crashes_after_the_post_was_made(wordpress: WordPressSite) -> None:
    """500 in answer to a create leaves in doubt whether there is a post: it is looked up, not made again."""
    crash = "<?php add_action( 'rest_after_insert_post', function () { throw new Error( 'crash' ); } );"
    with wordpress.server() as own:
        plan = job(wordpress, {"slug": ["krach"], "title": ["Krach"]}, key=["slug"], url=own.url).plan()
        (own.www / "wp-content" / "mu-plugins" / "crash.php").write_text(crash)
        made = run(plan, workers=1)
    assert counts(made) == {"done": 1}, outcomes(made)
    assert wordpress.sql("SELECT count(*) FROM wp_posts WHERE post_name = 'krach'") == [("1",)]


def test_adding_without_a_key(wordpress: WordPressSite) -> None:
    """Append makes a post of every row, with its type where a column has it."""
    rows = {"type": ["post", "page"], "title": ["Ajout 1", "Ajout 2"], "status": ["publish", "private"]}
    made = run(job(wordpress, rows, mode="append").plan(), workers=1)
    assert counts(made) == {"done": 2}, outcomes(made)
    stored = wordpress.sql(
        "SELECT post_type, post_status FROM wp_posts WHERE post_title LIKE 'Ajout _' "
        "AND post_type != 'revision' ORDER BY post_title"
    )
    assert stored == [("post", "publish"), ("page", "private")]


def test_maintenance_mode_at_the_start_is_waited_for_when_asked(
    wordpress: WordPressSite, numbers: list[int]
) -> None:
    """A run that may wait begins when the site is back, though it was under maintenance when it started."""
    plan = titles(wordpress, numbers)
    wordpress.set(maintenance=True)
    run = plan.start(wait_for_target="1m", retry_after_max=1, delay=0, report=False)
    deadline = time.monotonic() + 10
    while run.state.value == "planned" or "asked to wait" not in run.snapshot().limiter:
        assert time.monotonic() < deadline, (run.state, run.snapshot())
        time.sleep(0.05)
    wordpress.set()
    assert run.wait(30) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == len(numbers)
