"""A real WordPress of one's own: MariaDB, PHP, users with application passwords, posts; gone without a trace.

    with WordPressSite(posts=600) as site:
        httpx.get(f"{site.url}/wp-json/wp/v2/posts", auth=site.login("editor"))
        ids = site.new_posts(25, meta={"_yoast_wpseo_title": "Old title"})
        site.sql("SELECT ID, post_title FROM wp_posts WHERE post_type = 'page'")

Its files lie in a temporary folder that a guard watches (`wordpress_guard.py`): when the process that
made the site ends, even by kill -9, servers and folder go too. The filled database is kept in the cache, so
that a site is up in a third of a second.

Tests ask for the fixture `wordpress`: one site for all tests of a worker, with the shared export's posts (600
made-up ones where there is no export). Make posts of your own there (`new_posts`), change no others. Knobs
(`site.set(sleep=2)`, `maintenance=True`, `refuse=403`, `anonymous=True` ...) go back to normal after each
test, and what was stopped is started again. What needs an untouched site, another number of posts or another
WordPress makes a `WordPressSite` of its own.

    with wordpress.server(plugin=False) as bare: ...            # the same site, without batchkit's plugin
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from filelock import FileLock

from tests.support import wordpress_database, wordpress_posts
from tests.support.wordpress_database import MariaDB, Row
from tests.support.wordpress_guard import Guard
from tests.support.wordpress_machine import Tree, WordPressMissing, cache, find_tree, lacking, program
from tests.support.wordpress_posts import Post
from tests.support.wordpress_web import PARTS, WebServer

_DATABASE = "wordpress"
_KEPT = 6  # filled databases in the cache, some 30 MB each


class WordPressSite:
    """One site, up when made.

    Args:
        posts: What it holds: so many made-up posts, or those of an export (a path to its CSV).
        plugin: Whether batchkit's plugin for SEO meta is installed.
        suite: The release of Debian whose WordPress to run; see `find_tree`.
        workers: How many requests its server answers at once.

    Attributes:
        version: WordPress's own version.

    Raises:
        WordPressMissing: This machine lacks what it needs.
    """

    def __init__(
        self,
        posts: int | Path = 600,
        *,
        plugin: bool = True,
        suite: str | None = None,
        workers: int = 4,
    ) -> None:
        if missing := lacking():
            raise WordPressMissing(f"no {', no '.join(missing)} on this machine; `make wordpress` sets it up")
        self._tree = find_tree(suite)
        self.folder = Path(tempfile.mkdtemp(prefix="batchkit-wp-"))
        self._guard = Guard(self.folder)
        self.version = self._tree.version
        self.database = MariaDB(self.folder)
        try:
            self._passwords = _prepared(self._tree, posts, self.database)
            self.database.start()
            self.main = self._new_server("main", plugin=plugin, workers=workers)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end."""
        return self.main.url

    def login(self, user: str = "admin") -> tuple[str, str]:
        """Name and application password of `admin`, `editor`, `author` or `subscriber`: httpx's `auth`."""
        return user, self._passwords[user]

    def sql(self, query: str) -> list[Row]:
        """Read (or write) the database itself, past WordPress; values come as text, NULL as None."""
        return self.database.query(query, database=_DATABASE)

    def meta(self, post: int) -> dict[str, str | None]:
        """All meta of one post, as stored, but for who is editing it."""
        rows = self.sql(f"SELECT meta_key, meta_value FROM wp_postmeta WHERE post_id = {post:d}")
        return {key: value for key, value in rows if key is not None and not key.startswith("_edit_")}

    def new_posts(
        self,
        count: int,
        *,
        type: str = "post",  # noqa: A002 - as WordPress calls it
        author: str = "admin",
        status: str = "publish",
        title: str = "Post {}",
        content: str = "<p>Text of post {}.</p>",
        meta: Mapping[str, str] | None = None,
    ) -> list[int]:
        """Add posts of one's own, in a moment.

        Args:
            count: How many; `{}` in the texts stands for their number, from 1.
            type: `post` or `page`.
            author: User to whom they belong.
            status: `publish`, `draft`, `private` ...
            title: Title of each.
            content: Content of each.
            meta: Meta of each, by key.

        Returns:
            Their ids, in order. Their slugs are unique on the site.
        """
        first = self._free_ids(count)
        mark = uuid4().hex[:8]
        like = Post(title, "", type=type, author=author, status=status, content=content, meta=meta or {})
        posts = [_numbered(like, n, f"{mark}-{n}") for n in range(1, count + 1)]
        self.sql(wordpress_posts.statements(posts, first, self.url))
        return list(range(first, first + count))

    @contextlib.contextmanager
    def server(self, *, plugin: bool = True, workers: int = 2) -> Iterator[WebServer]:
        """Another server of this very site, at another address, to stop, slow down or spoil at will."""
        made = self._new_server(f"web-{uuid4().hex[:8]}", plugin=plugin, workers=workers)
        try:
            yield made
        finally:
            made.close()

    def set(self, **knobs: Any) -> None:
        """Turn the main server's knobs; see `WebServer.set`."""
        self.main.set(**knobs)

    def stop(self) -> None:
        """Stop database and main server, as a crash does; callers find the connection refused."""
        self.main.stop()
        self.database.kill()

    def start(self) -> None:
        """Start again what was stopped, at the same address."""
        if not self.database.answers():
            self.database.start()
        if not self.main.answers():
            self.main.start()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Take it down, whatever runs, and remove its folder."""
        self._guard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _new_server(self, name: str, *, plugin: bool, workers: int) -> WebServer:
        folder = self.folder / name
        made = WebServer(folder, self._tree, self.database.socket, plugin=plugin, workers=workers)
        made.first_start()
        return made

    def _free_ids(self, count: int) -> int:
        # One statement takes consecutive ids, and an id once taken is never given again.
        columns = "post_content, post_title, post_excerpt, to_ping, pinged, post_content_filtered"
        empty = ", ".join(["('', '', '', '', '', '')"] * count)
        ((first,),) = self.sql(
            f"INSERT INTO wp_posts ({columns}) VALUES {empty}; SET @first = LAST_INSERT_ID(); "
            f"DELETE FROM wp_posts WHERE ID >= @first AND ID < @first + {count:d}; SELECT @first"
        )
        return int(first or 0)


def _prepared(tree: Tree, posts: int | Path, database: MariaDB) -> dict[str, str]:
    """Put a filled database into place, from the cache when it was made before; the users' passwords."""
    kept = cache() / "databases" / f"{tree.folder.name}-{_fingerprint(tree, posts)}"
    with _alone("database"):
        if not kept.exists():
            _prepare(tree, posts, kept)
        shutil.copytree(kept / "data", database.data)
    passwords: dict[str, str] = json.loads((kept / "passwords.json").read_text(encoding="utf-8"))
    return passwords


def _prepare(tree: Tree, posts: int | Path, home: Path) -> None:
    """Install WordPress, fill it, and keep the database's files."""
    others = sorted(home.parent.glob("*"), key=lambda place: place.stat().st_mtime)
    for place in others[: max(0, len(others) - _KEPT + 1)]:
        shutil.rmtree(place, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="batchkit-wp-"))
    guard = Guard(folder)
    try:
        database = MariaDB(folder)
        database.create()
        database.start()
        database.query(f"CREATE DATABASE {_DATABASE} CHARACTER SET utf8mb4")
        server = WebServer(folder / "main", tree, database.socket, plugin=True, workers=1)
        _php("install", server)
        passwords = _php("fill", server)
        database.query(_filling(posts, server.url), database=_DATABASE)
        database.stop()
        home.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=home.parent))
        shutil.copytree(database.data, new / "data")
        (new / "passwords.json").write_text(passwords, encoding="utf-8")
        new.rename(home)
    finally:
        guard.close()


def _filling(posts: int | Path, url: str) -> str:
    texts = wordpress_posts.exported(posts) if isinstance(posts, Path) else wordpress_posts.made_up(posts)
    texts += wordpress_posts.pages()
    # WordPress's own first posts have the lowest ids; pages come after all that have their own.
    first = max([100, *(post.id for post in texts if post.id is not None)]) + 1
    return wordpress_posts.statements(texts, first, url) + wordpress_posts.COUNT_TERMS


def _php(step: str, server: WebServer) -> str:
    server.describe()
    command = [program("php") or "php", str(PARTS / "prepare.php"), step, str(server.www)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{step} failed ({done.returncode}): {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def _fingerprint(tree: Tree, posts: int | Path) -> str:
    """What a filled database depends on."""
    digest = hashlib.sha256(posts.read_bytes() if isinstance(posts, Path) else str(posts).encode())
    modules = (__file__, wordpress_posts.__file__, wordpress_database.__file__)
    for file in (PARTS / "prepare.php", PARTS / "wp-config.php", *map(Path, modules)):
        digest.update(file.read_bytes())
    server = subprocess.run([program("mariadbd") or "", "--version"], capture_output=True, check=False)
    digest.update(server.stdout + tree.version.encode())
    return digest.hexdigest()[:12]


def _numbered(like: Post, n: int, slug: str) -> Post:
    fill: dict[str, Any] = {name: getattr(like, name).replace("{}", str(n)) for name in ("title", "content")}
    meta = {key: value.replace("{}", str(n)) for key, value in like.meta.items()}
    return replace(like, slug=slug, meta=meta, **fill)


def _alone(purpose: str) -> FileLock:
    cache().mkdir(parents=True, exist_ok=True)
    return FileLock(cache() / f"{purpose}.lock")
