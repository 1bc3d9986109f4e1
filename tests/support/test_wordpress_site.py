"""The WordPress that tests lean on is a real one, comes in a moment, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.needs import ROOT
from tests.support.wordpress_site import WordPressSite
from tests.support.wordpress_web import PARTS

OWNER = """
import time
from tests.support.wordpress_site import WordPressSite
site = WordPressSite(posts=0)
print(site.folder, flush=True)
time.sleep(60)
"""
AIOSEO_TABLE = """
CREATE TABLE IF NOT EXISTS wp_aioseo_posts
(post_id BIGINT PRIMARY KEY, title TEXT, description TEXT, other TEXT);
"""
SEO_KEYS = {
    "_yoast_wpseo_title", "_yoast_wpseo_metadesc", "rank_math_title", "rank_math_description",
    "_seopress_titles_title", "_seopress_titles_desc", "_aioseo_title", "_aioseo_description",
}  # fmt: skip


def test_answers_as_wordpress(wordpress: WordPressSite) -> None:
    """The REST API names itself and offers batches, as a real site does."""
    index = httpx.get(f"{wordpress.url}/wp-json/").json()
    assert "wp/v2" in index["namespaces"]
    assert "/batch/v1" in index["routes"]


@pytest.mark.parametrize("user", ["admin", "editor", "author", "subscriber"])
def test_login_by_application_password(wordpress: WordPressSite, user: str) -> None:
    """Each user is let in by their application password."""
    me = httpx.get(f"{wordpress.url}/wp-json/wp/v2/users/me", auth=wordpress.login(user))
    assert me.json()["slug"] == user


def test_holds_the_export_with_its_ids(wordpress: WordPressSite, shared_data: Path) -> None:
    """A post of the export has the id, address and title it has there."""
    post = httpx.get(
        f"{wordpress.url}/wp-json/wp/v2/posts/311?context=edit", auth=wordpress.login("editor")
    ).json()
    assert post["title"]["raw"] == "La Stratégie de l&rsquo;Océan Bleu"
    assert post["slug"] == "la-strategie-de-locean-bleu-311"
    assert wordpress.meta(311) == {"_yoast_wpseo_title": "La Stratégie de l&rsquo;Océan Bleu"}


@pytest.mark.parametrize("kind", ["post", "page"])
def test_plugin_opens_the_seo_keys(wordpress: WordPressSite, kind: str) -> None:
    """With the plugin all keys can be written by who may edit, and are stored as sent."""
    (number,) = wordpress.new_posts(1, type=kind)
    texts = {key: f"%%title%% – l’été 100 %da <3 «{key}» \\ 'x' \"y\"" for key in sorted(SEO_KEYS)}
    address = f"{wordpress.url}/wp-json/wp/v2/{kind}s/{number}"
    answer = httpx.post(address, json={"meta": texts}, auth=wordpress.login("editor"))
    assert answer.status_code == 200
    assert {key: answer.json()["meta"][key] for key in texts} == texts
    stored = wordpress.meta(number)
    assert {key: stored[key] for key in texts} == texts


def test_plugin_lets_nobody_else_write(wordpress: WordPressSite) -> None:
    """An author can't write the keys of another's post, and an anonymous visitor nobody's."""
    (number,) = wordpress.new_posts(1, author="admin")
    address, change = f"{wordpress.url}/wp-json/wp/v2/posts/{number}", {"meta": {"rank_math_title": "mine"}}
    assert httpx.post(address, json=change, auth=wordpress.login("author")).status_code == 403
    assert httpx.post(address, json=change).status_code == 401
    assert wordpress.meta(number) == {}


def test_plugin_writes_where_all_in_one_seo_reads(wordpress: WordPressSite) -> None:
    """With All in One SEO its two keys go to its own table, whose other columns stay, and come from there."""
    (number,) = wordpress.new_posts(1, meta={"_aioseo_title": "stale"})
    wordpress.sql(AIOSEO_TABLE + f"INSERT INTO wp_aioseo_posts VALUES ({number}, 'Old', NULL, 'kept')")
    with wordpress.server() as server:
        plugins = server.www / "wp-content" / "mu-plugins"
        shutil.copy(PARTS / "all-in-one-seo.php", plugins)
        address, login = f"{server.url}/wp-json/wp/v2/posts/{number}", wordpress.login("editor")
        before = httpx.get(address, params={"context": "edit"}, auth=login).json()["meta"]
        assert (before["_aioseo_title"], before["_aioseo_description"]) == ("Old", "")
        for text in ("stale", "L’été \\ 'x'"):
            change = {"meta": {"_aioseo_title": text}}
            assert httpx.post(address, json=change, auth=login).json()["meta"]["_aioseo_title"] == text
            stored = wordpress.sql(
                f"SELECT title, description, other FROM wp_aioseo_posts WHERE post_id = {number}"
            )
            assert stored == [(text, None, "kept")]
            assert wordpress.meta(number)["_aioseo_title"] == text


def test_without_plugin_keys_are_ignored(wordpress: WordPressSite) -> None:
    """Without the plugin the very same site answers 200 and stores nothing."""
    (number,) = wordpress.new_posts(1)
    with wordpress.server(plugin=False) as bare:
        address = f"{bare.url}/wp-json/wp/v2/posts/{number}"
        change = {"meta": {"_yoast_wpseo_title": "lost"}}
        answer = httpx.post(address, json=change, auth=wordpress.login("editor"))
    assert answer.status_code == 200
    assert "_yoast_wpseo_title" not in wordpress.meta(number)


def test_database_is_read_as_it_is(wordpress: WordPressSite) -> None:
    """Tabs, line breaks, backslashes and emoji come back from the database as they went in."""
    text = "a\tb\nc\\n \\\\ 'q' \"Q\" 👍 é"
    (number,) = wordpress.new_posts(1, title=text)
    assert wordpress.sql(f"SELECT post_title, NULL FROM wp_posts WHERE ID = {number}") == [(text, None)]


def test_new_posts_belong_to_their_author(wordpress: WordPressSite) -> None:
    """Posts made in bulk have ids in order, their texts, meta and author, and no slug twice."""
    numbers = wordpress.new_posts(30, author="author", title="Mine {}", meta={"rank_math_title": "T{}"})
    more = wordpress.new_posts(30, author="author", title="Mine {}")
    found = httpx.get(
        f"{wordpress.url}/wp-json/wp/v2/posts?include={numbers[6]}&context=edit",
        auth=wordpress.login("author"),
    ).json()
    assert [(post["title"]["raw"], post["meta"]["rank_math_title"]) for post in found] == [("Mine 7", "T7")]
    mine = ",".join(map(str, [*numbers, *more]))
    slugs = wordpress.sql(f"SELECT DISTINCT post_name FROM wp_posts WHERE ID IN ({mine})")
    assert len(slugs) == 60


def test_maintenance_mode(wordpress: WordPressSite) -> None:
    """In maintenance WordPress answers 503 and names its ten minutes; afterwards all is as before."""
    wordpress.set(maintenance=True)
    answer = httpx.get(f"{wordpress.url}/wp-json/")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "600")
    wordpress.set()
    assert httpx.get(f"{wordpress.url}/wp-json/").status_code == 200


def test_knobs_hold_for_the_methods_named(wordpress: WordPressSite) -> None:
    """A refusal for writes leaves reading alone."""
    wordpress.set(only=["POST"], refuse=403)
    refused = httpx.post(f"{wordpress.url}/wp-json/wp/v2/posts", auth=wordpress.login())
    assert (refused.status_code, refused.headers["content-type"][:9]) == (403, "text/html")
    assert httpx.get(f"{wordpress.url}/wp-json/").status_code == 200


def test_slow_answer_comes_after_the_write(wordpress: WordPressSite) -> None:
    """Who gives up waiting for an answer may find that the change was made."""
    (number,) = wordpress.new_posts(1)
    wordpress.set(sleep_after=1.5)
    change = {"meta": {"rank_math_title": "made"}}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{wordpress.url}/wp-json/wp/v2/posts/{number}",
            json=change,
            auth=wordpress.login(),
            timeout=1,
        )
    _until(lambda: wordpress.meta(number).get("rank_math_title") == "made", seconds=10)


def test_comes_back_where_it_was() -> None:
    """Stopped, a site refuses connections; started, it has the same address and the same rows."""
    with WordPressSite(posts=0) as site:
        (number,) = site.new_posts(1, title="kept")
        site.stop()
        with pytest.raises(httpx.ConnectError):
            httpx.get(site.url)
        site.start()
        assert httpx.get(f"{site.url}/wp-json/wp/v2/posts/{number}").json()["title"]["rendered"] == "kept"


def test_nothing_is_left_after_close() -> None:
    """When a site is closed, its processes and its folder are gone."""
    with WordPressSite(posts=0) as site:
        assert _processes(site.folder)
    assert not _processes(site.folder)
    assert not list(site.folder.parent.glob(f"{site.folder.name}*"))


def test_nothing_outlives_its_owner(wordpress: WordPressSite) -> None:
    """When the process that made a site is killed, processes and folder are gone within seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as owner:
        assert owner.stdout
        folder = Path(owner.stdout.readline().strip())
        assert _processes(folder)
        os.killpg(owner.pid, signal.SIGKILL)
    _until(lambda: not _processes(folder) and not list(folder.parent.glob(f"{folder.name}*")), seconds=20)


def _processes(folder: Path) -> list[int]:
    """Those that have the folder in their command line: both servers do, and the guard."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        named = str(folder) in " ".join(process.info["cmdline"] or ())
        if named and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
