"""The practice server's WordPress: sample, plugins, logins. Its answers: `test_sandbox_like_real.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sandboxes import sandbox


@contextlib.contextmanager
def site(
    folder: Path, login: tuple[str, str] = ("demo", "practice"), **options: Any
) -> Iterator[httpx.Client]:
    """A client of a new site, logged in."""
    with (
        sandbox(folder, **options) as server,
        httpx.Client(base_url=f"{server.url}/wp-json", auth=login, trust_env=False, timeout=5) as client,
    ):
        yield client


def test_a_new_site_has_a_sample(tmp_path: Path) -> None:
    """Posts, pages and terms in French, some with SEO texts, some by the author, one not published."""
    with site(tmp_path) as client:
        posts = client.get(
            "/wp/v2/posts", params={"context": "edit", "status": "any", "per_page": 100}
        ).json()
        pages = client.get("/wp/v2/pages").json()
        terms = client.get("/wp/v2/categories", params={"_fields": "name"}).json()
    assert len(posts) > 20
    assert len(pages) > 4
    assert {"name": "Conseils"} in terms
    assert {post["author"] for post in posts} == {1, 3}
    assert {post["status"] for post in posts} == {"publish", "draft"}
    texts = [post["meta"]["_yoast_wpseo_title"] for post in posts]
    assert any(texts)
    assert not all(texts)
    # Raw and rendered differ, as they do on any site in French.
    assert any(post["title"]["raw"] != post["title"]["rendered"] for post in posts)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    """The site is kept in the file; its sample comes once."""
    with site(tmp_path) as client:
        total = client.get("/wp/v2/posts").headers["x-wp-total"]
        client.post("/wp/v2/posts/9", json={"title": "Autre titre"})
    with site(tmp_path) as client:
        assert client.get("/wp/v2/posts").headers["x-wp-total"] == total
        assert client.get("/wp/v2/posts/9").json()["title"]["rendered"] == "Autre titre"


@pytest.mark.parametrize(
    ("plugin", "namespace", "key"),
    [
        ("yoast", "yoast/v1", "_yoast_wpseo_title"),
        ("rankmath", "rankmath/v1", "rank_math_title"),
        ("seopress", "seopress/v1", "_seopress_titles_title"),
        ("aioseo", "aioseo/v1", "_aioseo_title"),
    ],
)
def test_seo_plugins(tmp_path: Path, plugin: str, namespace: str, key: str) -> None:
    """Each is known by its namespace and by its keys in the schema, and what is written there is kept."""
    with site(tmp_path, wordpress_seo=plugin) as client:
        assert namespace in client.get("/").json()["namespaces"]
        schema = client.request("OPTIONS", "/wp/v2/posts").json()["schema"]
        assert key in schema["properties"]["meta"]["properties"]
        client.post("/wp/v2/posts/9", json={"meta": {key: "Titre"}})
        assert client.get("/wp/v2/posts/9").json()["meta"][key] == "Titre"


def test_no_seo_plugin(tmp_path: Path) -> None:
    """A site without one has neither namespace nor keys."""
    with site(tmp_path, wordpress_seo="none") as client:
        assert client.get("/").json()["namespaces"] == ["oembed/1.0", "wp/v2", "wp-site-health/v1"]
        assert client.get("/wp/v2/posts/9").json()["meta"] == {"footnotes": ""}


def test_all_in_one_seo_has_a_property_of_its_own(tmp_path: Path) -> None:
    """Its texts are taken and shown beside the meta."""
    with site(tmp_path, wordpress_seo="aioseo") as client:
        written = client.post("/wp/v2/posts/9", json={"aioseo_meta_data": {"title": "Titre"}}).json()
        assert written["aioseo_meta_data"]["title"] == "Titre"
        properties = client.request("OPTIONS", "/wp/v2/posts").json()["schema"]["properties"]
        assert "aioseo_meta_data" in properties


def test_passwords_are_typed_with_or_without_blanks(tmp_path: Path) -> None:
    """An application password is shown in groups; the groups don't matter."""
    with sandbox(tmp_path, password="abcdEFGH1234") as server:
        for password in ("abcd EFGH 1234", "abcdEFGH1234"):
            login = ("editor", password)
            me = httpx.get(f"{server.url}/wp-json/wp/v2/users/me", auth=login, trust_env=False)
            assert me.json()["slug"] == "editor"


@pytest.mark.parametrize(("user", "code"), [("demo", "incorrect_password"), ("nobody", "invalid_username")])
def test_a_site_that_tells_a_wrong_login(tmp_path: Path, user: str, code: str) -> None:
    """Some sites answer a wrong login with a 401, whatever is asked; most take it for an anonymous visit."""
    with site(tmp_path, (user, "wrong"), wordpress_login="refused") as client:
        for path in ("/wp/v2/posts", "/wp/v2/users/me", "/"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, code)
    with site(tmp_path, (user, "wrong")) as client:
        assert client.get("/wp/v2/posts").status_code == 200


def test_a_batch_can_be_hit_by_a_fault_after_it_was_written(tmp_path: Path) -> None:
    """A 504 of the web server says nothing of what WordPress did."""
    with site(tmp_path, fault="504:after:path=/wp-json/batch") as client:
        requests = [{"path": "/wp/v2/posts/9", "body": {"title": "Écrit"}}]
        assert client.post("/batch/v1", json={"requests": requests}).status_code == 504
        assert client.get("/wp/v2/posts/9").json()["title"]["rendered"] == "Écrit"
