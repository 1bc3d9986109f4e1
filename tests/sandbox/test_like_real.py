"""The practice server's WordPress answers as a real one does: the same requests to both, answers compared."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import httpx
import pytest

from tests.support.sandboxes import sandbox
from tests.support.wordpress_site import WordPressSite

TITLE, DESCRIPTION = "_yoast_wpseo_title", "_yoast_wpseo_metadesc"
USERS = ("admin", "editor", "author", "subscriber")
NONE = "99999999"  # a number that no post has
_KEYS_WITHOUT_CALLBACK: Final = """<?php
add_action( 'init', function () {
    foreach ( array( '_yoast_wpseo_title', '_yoast_wpseo_metadesc' ) as $key ) {
        register_post_meta( 'post', $key, array(
            'type' => 'string', 'single' => true, 'show_in_rest' => true,
        ) );
    }
} );
"""


class Ask(NamedTuple):
    """A request, with `{mine}`, `{other}`, `{author}` and `{page}` for posts made for the case."""

    path: str
    method: str = "GET"
    body: Any = None
    user: str | None = "admin"


class Side:
    """One of the two servers.

    Args:
        url: Its address.
        logins: Application password of each user.
    """

    def __init__(self, url: str, logins: dict[str, str]) -> None:
        self._url = url
        self._logins = logins
        self._client = httpx.Client(base_url=f"{url}/wp-json", trust_env=False, timeout=30)

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def answers(self, asks: Sequence[Ask]) -> list[Any]:
        """What is answered to some requests, one after the other, about posts made for them."""
        needed = {
            name for ask in asks for name in re.findall(r"{(\w+)}", f"{ask.path} {json.dumps(ask.body)}")
        }
        names = self._posts(uuid4().hex[:8], needed)
        return [self._told(self._sent(ask, names), names) for ask in asks]

    def _posts(self, mark: str, needed: set[str]) -> dict[str, str]:
        made = {"mark": mark, "none": NONE}
        for name, user, base in (
            ("mine", "admin", "posts"),
            ("other", "admin", "posts"),
            ("author", "author", "posts"),
            ("page", "admin", "pages"),
        ):
            if name not in needed:
                continue
            body = {"title": f"{name} {mark}", "content": f"<p>{name}</p>", "status": "publish"}
            answer = self._client.post(f"/wp/v2/{base}", json=body, auth=(user, self._logins[user]))
            assert answer.status_code == 201, answer.text
            made[name] = str(answer.json()["id"])
        return made

    def _sent(self, ask: Ask, names: dict[str, str]) -> httpx.Response:
        def filled(text: str) -> str:
            return re.sub(r"{(mine|other|author|page|none|mark)}", lambda found: names[found[1]], text)

        password = self._logins.get(ask.user or "", "wrong wrong wrong")
        head = {} if ask.body is None else {"Content-Type": "application/json"}
        body = ask.body if isinstance(ask.body, str) else json.dumps(ask.body)
        return self._client.request(
            ask.method,
            filled(ask.path),
            content=None if ask.body is None else filled(body).encode(),
            headers=head,
            auth=(ask.user, password) if ask.user else None,
        )

    def _told(self, answer: httpx.Response, names: dict[str, str]) -> Any:
        """Status, total and body, with the names of posts for their numbers."""
        numbers = {int(number): name for name, number in names.items() if number.isdigit()}

        def named(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: value[key] if key == "status" else named(value[key]) for key in value}
            if isinstance(value, list):
                return [named(each) for each in value]
            if isinstance(value, str):
                value = value.replace(self._url, "SITE").replace(names["mark"], "MARK")
                return re.sub(r"(?<=[=/])\d+\b", lambda found: numbers.get(int(found[0]), found[0]), value)
            return value if isinstance(value, bool) else numbers.get(value, value)

        return {
            "status": answer.status_code,
            "total": answer.headers.get("x-wp-total"),
            "body": named(answer.json()),
        }


@pytest.fixture(scope="module")
def real(wordpress_site: WordPressSite) -> Iterator[Side]:
    """The real one; the practice server answers as WordPress does since 6.8."""
    if [int(part) for part in wordpress_site.version.split(".")[:2]] < [6, 8]:
        pytest.skip(f"WordPress {wordpress_site.version} writes meta in another way")
    side = Side(wordpress_site.url, {user: wordpress_site.login(user)[1] for user in USERS})
    yield side
    side.close()


@contextlib.contextmanager
def practising(folder: Path, **options: Any) -> Iterator[Side]:
    """A practice server for a while."""
    with sandbox(folder, **options) as server:
        side = Side(server.url, dict.fromkeys(USERS, "practice"))
        yield side
        side.close()


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """The practice server."""
    with practising(tmp_path_factory.mktemp("practice")) as side:
        yield side


def post(path: str, body: Any, user: str | None = "admin", method: str = "POST") -> Ask:
    """A request that writes."""
    return Ask(path, method, body, user)


ONE = "/wp/v2/posts/{mine}?_fields=id,title,content.raw,excerpt.raw,slug,status,link,categories,tags"
META = f"/wp/v2/posts/{{mine}}?_fields=id,meta.{TITLE},meta.{DESCRIPTION}"
LIST = "/wp/v2/posts?context=edit&include={mine},{author},{none}&_fields=id,title.raw,status&orderby=id"

CASES: Final[dict[str, Sequence[Ask]]] = {
    # Reads
    "one post": [Ask(ONE)],
    "one post to edit": [Ask(f"{ONE}&context=edit")],
    "one page": [Ask("/wp/v2/pages/{page}?_fields=id,slug,parent,menu_order,link,type,status")],
    "no such post": [Ask("/wp/v2/posts/{none}"), post("/wp/v2/posts/{none}", {"title": "x"})],
    "a page among posts": [Ask("/wp/v2/posts/{page}")],
    "not a number": [Ask("/wp/v2/posts/abc")],
    "no such route": [Ask("/wp/v2/nope"), Ask("/wp/v2/posts", "PATCH", {}), Ask("/batch/v1")],
    "to edit without a login": [Ask("/wp/v2/posts/{mine}?context=edit", user=None)],
    "another's post to edit": [Ask("/wp/v2/posts/{mine}?context=edit", user="author")],
    "a draft of another's": [
        post("/wp/v2/posts/{mine}?_fields=status,link,slug", {"status": "draft"}),
        Ask("/wp/v2/posts/{mine}", user="author"),
        Ask("/wp/v2/posts/{mine}", user=None),
    ],
    "fields with dots": [Ask("/wp/v2/posts/{mine}?_fields=id,content.protected,title.rendered,nothing")],
    # Lists
    "chosen posts": [Ask("/wp/v2/posts?include={mine},{author},{none}&_fields=id&orderby=include")],
    "posts to edit, some of others": [Ask(LIST), Ask(LIST, user="author")],
    "posts to edit without the right": [Ask(LIST, user="subscriber"), Ask(LIST, user=None)],
    "posts by slug": [
        Ask("/wp/v2/posts?slug=mine-{mark},none-{mark}&include={mine},{other}&_fields=id,slug")
    ],
    "pages by slug": [Ask("/wp/v2/pages?slug=page-{mark}&include={page},{none}&_fields=id,slug")],
    "a page too many": [Ask("/wp/v2/posts?include={mine}&page=3")],
    "too many a page": [Ask("/wp/v2/posts?per_page=101"), Ask("/wp/v2/posts?per_page=0&page=x")],
    "numbers that are none": [Ask("/wp/v2/posts?include={mine},abc")],
    "no such order": [Ask("/wp/v2/posts?orderby=wrong"), Ask("/wp/v2/posts?context=wrong")],
    "drafts without the right": [
        Ask("/wp/v2/posts?status=draft", user=None),
        Ask("/wp/v2/posts?status=publish,draft", user="subscriber"),
    ],
    "no such state": [Ask("/wp/v2/posts?status=nonsense")],
    "any state": [
        post("/wp/v2/posts/{mine}?_fields=id", {"status": "pending"}),
        Ask("/wp/v2/posts?status=any&include={mine},{other}&_fields=id,status&orderby=include"),
        Ask("/wp/v2/posts?include={mine},{other}&_fields=id,status"),
    ],
    # Writes
    "text as it is stored": [
        post(
            ONE,
            {"title": '  L’été & "l\'hiver" <b>x</b> &rsquo; ', "content": " <p>a</p>\n", "excerpt": " e "},
        ),
        Ask(f"{ONE}&context=edit"),
    ],
    "text of who may not write all": [
        post(
            "/wp/v2/posts/{author}?_fields=title.raw,content.raw",
            {
                "title": "<b>A</b> <script>x</script>& co",
                "content": '<p onclick="a()"></p><script>y</script><em>é</em> a & b <a href="/z">&rsquo;</a>',
            },
            "author",
        ),
        Ask("/wp/v2/posts/{author}?_fields=title.rendered", user=None),
    ],
    "null leaves, nothing empties": [post(ONE, {"title": None}), post(ONE, {"title": ""})],
    "a slug made plain": [post(ONE, {"slug": "L’Œuvre d'été / à Paris !"}), post(ONE, {"slug": ""})],
    "a slug that is taken": [post(ONE, {"slug": "other-{mark}"}), Ask("/wp/v2/posts/{other}?_fields=slug")],
    "a date that rolls over": [
        post("/wp/v2/posts/{mine}?_fields=date,status", {"date": "2024-02-30T10:00:00"})
    ],
    "a date in another zone": [
        post("/wp/v2/posts/{mine}?_fields=date,date_gmt", {"date": "2024-02-20T10:00:00+02:00"})
    ],
    "a date to come": [post("/wp/v2/posts/{mine}?_fields=date,status", {"date": "2044-02-20 10:00:00"})],
    "a date that is none": [post(ONE, {"date": "2024-02-20"}), post(ONE, {"date": "nonsense"})],
    "values that do not fit": [
        post(ONE, {"status": "nonsense", "categories": ["a"], "author": "x", "sticky": "yes", "slug": ["a"]}),
    ],
    "no such author": [post(ONE, {"author": int(NONE)})],
    "no such parent": [post("/wp/v2/pages/{page}?_fields=parent", {"parent": int(NONE)})],
    "a page below another": [
        post(
            "/wp/v2/pages?_fields=parent,slug,link,status",
            {"title": "sub", "parent": "{page}", "status": "publish"},
        )
    ],
    "terms that are not there": [post("/wp/v2/posts/{mine}?_fields=tags", {"tags": [int(NONE)]})],
    "a body that is no JSON": [post("/wp/v2/posts/{mine}", '{"title":')],
    "a list for a body": [post("/wp/v2/posts/{mine}?_fields=id", "[1]")],
    "each method that changes": [
        post("/wp/v2/posts/{mine}?_fields=title.raw", {"title": "A"}, method="PUT"),
        post("/wp/v2/posts/{mine}?_fields=title.raw", {"title": "B"}, method="PATCH"),
    ],
    "a new draft": [
        post("/wp/v2/posts?_fields=status,slug,title.raw,generated_slug", {"title": " Neuf & beau "}),
        post("/wp/v2/posts", {}),
    ],
    "a new post without the right": [
        post("/wp/v2/posts", {"title": "x"}, user=None),
        post("/wp/v2/posts", {"title": "x"}, user="subscriber"),
        post("/wp/v2/pages", {"title": "x"}, user="author"),
    ],
    "another's post": [
        post("/wp/v2/posts/{mine}", {"title": "x"}, user="author"),
        post("/wp/v2/posts/{mine}", {"title": "x"}, user=None),
        post("/wp/v2/posts/{author}?_fields=title.raw", {"title": "x"}, user="author"),
        post("/wp/v2/posts/{author}?_fields=title.raw", {"title": "x"}, user="editor"),
        Ask("/wp/v2/posts/{mine}", "DELETE", user="author"),
    ],
    "into the trash and back": [
        Ask("/wp/v2/posts/{mine}?_fields=id,slug,status,link", "DELETE"),
        Ask("/wp/v2/posts/{mine}?_fields=id", "DELETE"),
        Ask("/wp/v2/posts?status=trash&include={mine}&_fields=id,slug"),
        Ask("/wp/v2/posts?include={mine}&_fields=id"),
        post("/wp/v2/posts/{mine}?_fields=slug,status", {"status": "draft"}),
        Ask("/wp/v2/posts/{mine}?force=true&_fields=deleted,previous.id", "DELETE"),
        Ask("/wp/v2/posts/{mine}?force=true", "DELETE"),
    ],
    # Meta
    "meta as it is": [
        post(META, {"meta": {TITLE: ' <b>T</b> "é" 😀 back\\slash ', "nothing_like_it": "x"}}),
        Ask(META),
        post(META, {"meta": {TITLE: None}}),
        post(META, {"meta": {}}),
    ],
    "meta of another type": [
        post("/wp/v2/posts/{mine}", {"title": "written all the same", "meta": {TITLE: 5, DESCRIPTION: "d"}}),
        Ask(f"{META},title.raw&context=edit"),
        post("/wp/v2/posts/{mine}", {"meta": {TITLE: ["a"]}}),
        post("/wp/v2/posts/{mine}", {"meta": "x"}),
    ],
    # Batches
    "a batch": [
        post(
            "/batch/v1",
            {
                "requests": [
                    {"path": "/wp/v2/posts/{mine}?_fields=id,title.raw", "body": {"title": "B"}},
                    {"path": "/wp/v2/posts/{none}", "method": "PUT", "body": {"title": "B"}},
                    {"path": "/wp-json/wp/v2/posts/{other}", "body": {"title": "B"}},
                    {"path": "/wp/v2/posts/{author}?_fields=slug,status", "method": "DELETE"},
                ]
            },
        )
    ],
    "a batch of what may not be": [
        post(
            "/batch/v1",
            {"requests": [{"path": "/wp/v2/posts/{mine}", "body": {"title": "B"}}]},
            user="author",
        ),
        post("/batch/v1", {"requests": [{"path": "/wp/v2/posts/{mine}", "body": {"title": "B"}}]}, user=None),
    ],
    "a batch that is none": [
        post("/batch/v1", {"requests": [{"path": "/wp/v2/posts/{mine}", "method": "GET"}]}),
        post("/batch/v1", {"requests": [{"path": "/wp/v2/posts/{mine}"}] * 26}),
        post("/batch/v1", {}),
        post("/batch/v1", {"requests": []}),
    ],
    # Logins
    "a wrong password": [
        Ask("/wp/v2/users/me?_fields=slug", user="admin"),
        Ask("/wp/v2/users/me", user="nobody"),
        Ask("/wp/v2/users/me", user=None),
        post("/wp/v2/posts/{mine}", {"title": "x"}, user="nobody"),
        Ask("/wp/v2/posts?include={mine}&_fields=id", user="nobody"),
    ],
    "who is who": [
        Ask("/wp/v2/users/me?context=edit&_fields=slug,name,username,roles", user=user) for user in USERS
    ],
    # Terms
    "terms": [
        post("/wp/v2/categories?_fields=name,slug,parent,taxonomy", {"name": "Été & co {mark}"}),
        Ask("/wp/v2/categories?search=ete-co-{mark}&_fields=name,slug,count"),
        Ask("/wp/v2/categories?slug=ete-co-{mark}&_fields=name"),
        post("/wp/v2/tags", {}),
        post("/wp/v2/categories", {"name": "x"}, user="author"),
        Ask("/wp/v2/categories/{none}"),
        Ask("/wp/v2/tags?per_page=101"),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_both_answer_alike(name: str, real: Side, practice: Side) -> None:
    """Status, total and body are the same, but for numbers and addresses."""
    asks = CASES[name]
    for ask, wanted, given in zip(asks, real.answers(asks), practice.answers(asks), strict=True):
        assert given == wanted, ask


def test_both_name_the_same_parts(real: Side, practice: Side) -> None:
    """A post, a type and the schema have the parts that a client looks for, under the same names."""
    asks = (Ask("/wp/v2/posts/{mine}?context=edit"), Ask("/wp/v2/pages/{page}"))
    for wanted, given in zip(real.answers(asks), practice.answers(asks), strict=True):
        assert sorted(given["body"]) == sorted(wanted["body"])


def test_roles_have_the_same_rights(real: Side, practice: Side) -> None:
    """What each role may do is told alike, as far as the practice server knows of it."""
    for ask in (Ask("/wp/v2/users/me?context=edit", user=user) for user in USERS):
        given, wanted = (side.answers([ask])[0]["body"]["capabilities"] for side in (practice, real))
        assert given.items() <= wanted.items()
        for right in ("edit_posts", "edit_others_posts", "edit_pages", "unfiltered_html"):
            assert given.get(right) == wanted.get(right)


@pytest.mark.parametrize(
    "ask",
    [Ask("/batch/v1", "OPTIONS"), Ask("/wp/v2/types"), Ask("/wp/v2/taxonomies")],
    ids=["batch", "types", "taxonomies"],
)
def test_what_the_site_offers(ask: Ask, real: Side, practice: Side) -> None:
    """The limit of a batch and the addresses of types and taxonomies are found at the same places."""

    def offers(side: Side) -> list[Any]:
        body = side.answers([ask])[0]["body"]
        if "endpoints" in body:
            requests = body["endpoints"][0]["args"]["requests"]
            return [requests["maxItems"], requests["items"]["properties"]["method"]["enum"]]
        kinds = [kind for kind in ("post", "page", "category", "post_tag") if kind in body]
        return [
            [body[kind][name] for name in ("rest_base", "rest_namespace", "slug", "name")] for kind in kinds
        ]

    assert offers(practice) == offers(real)


@pytest.mark.usefixtures("real")
def test_keys_that_nobody_registered(wordpress: WordPressSite, tmp_path: Path) -> None:
    """Without the plugin a key is passed over in silence, with a 200."""
    asks = [post("/wp/v2/posts/{mine}?_fields=id,meta", {"meta": {TITLE: "x"}}), Ask(META)]
    with wordpress.server(plugin=False) as bare:
        wanted = _only(Side(bare.url, {user: wordpress.login(user)[1] for user in ("admin", "author")}), asks)
    with practising(tmp_path, wordpress_meta="hidden") as side:
        assert side.answers(asks) == wanted


@pytest.mark.usefixtures("real")
def test_keys_without_a_callback(wordpress: WordPressSite, tmp_path: Path) -> None:
    """A key that begins with an underscore is refused by name, when all the rest was written."""
    asks = [
        post("/wp/v2/posts/{mine}", {"title": "written", "meta": {TITLE: "x", DESCRIPTION: 5}}),
        post("/wp/v2/posts/{mine}", {"meta": {TITLE: None}}),
        post("/batch/v1", {"requests": [{"path": "/wp/v2/posts/{mine}", "body": {"meta": {TITLE: "x"}}}]}),
        Ask(f"{META},title.raw&context=edit"),
    ]
    with wordpress.server(plugin=False) as bare:
        plugins = bare.www / "wp-content" / "mu-plugins"
        (plugins / "keys.php").write_text(_KEYS_WITHOUT_CALLBACK, encoding="utf-8")
        wanted = _only(Side(bare.url, {user: wordpress.login(user)[1] for user in ("admin", "author")}), asks)
    with practising(tmp_path, wordpress_meta="protected") as side:
        assert side.answers(asks) == wanted


def _only(side: Side, asks: Sequence[Ask]) -> list[Any]:
    try:
        return side.answers(asks)
    finally:
        side.close()
