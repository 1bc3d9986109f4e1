"""One way into a test site: PHP's own server with WordPress's files, a plugin or none, and knobs to turn."""

from __future__ import annotations

import json
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from tests.support.needs import ROOT
from tests.support.wordpress_guard import kill, start
from tests.support.wordpress_machine import Tree, program

PARTS = Path(__file__).parent / "wordpress"
PLUGIN = ROOT / "data" / "wordpress" / "batchkit-seo-meta.php"

# WordPress is a thousand files: without the cache each request would compile them anew.
_PHP = {
    "opcache.enable": "1",
    "opcache.enable_cli": "1",
    "opcache.memory_consumption": "128",
    "opcache.max_accelerated_files": "10000",
    "display_errors": "0",
    "log_errors": "1",
    "memory_limit": "256M",
}


class WebServer:
    """PHP's own server on a free port of the loopback; several of them may share one database.

    Args:
        folder: Where its files go; a guard watches it.
        tree: The WordPress to serve.
        database: MariaDB's socket.
        plugin: Whether batchkit's plugin for SEO meta is installed.
        workers: How many requests are answered at once.
    """

    def __init__(self, folder: Path, tree: Tree, database: Path, *, plugin: bool, workers: int) -> None:
        self.folder = folder
        self.www = folder / "www"
        self.port = _free_port()
        self.workers = workers
        self._database = database
        self._link(tree, plugin)

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end; the same after each start."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start (again) on the same port, and return once it answers.

        Raises:
            RuntimeError: It didn't within 30 s; with the end of its log.
        """
        self.describe()
        settings = [part for name, value in _PHP.items() for part in ("-d", f"{name}={value}")]
        command = [program("php") or "php", *settings, "-S", f"127.0.0.1:{self.port}", "-t", str(self.www)]
        workers = {"PHP_CLI_SERVER_WORKERS": str(self.workers)}
        start(self.folder, "php", [*command, str(PARTS / "router.php")], workers)
        end = time.monotonic() + 30
        while not self.answers():
            if time.monotonic() > end:
                raise RuntimeError(f"PHP didn't start:\n{(self.folder / 'php.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def first_start(self) -> None:
        """Start on whichever port is free: another program may take one between the asking and the use."""
        for _ in range(5):
            self.start()
            if "Failed to listen" not in (self.folder / "php.log").read_text(errors="replace"):
                return
            self.stop()
            (self.folder / "php.log").unlink()
            self.port = _free_port()
        raise RuntimeError("no free port for PHP's server")

    def stop(self) -> None:
        """End it at once, whatever it is answering; callers then find the connection refused."""
        kill(self.folder, "php")

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self) -> bool:
        """Whether a connection is taken."""
        with socket.socket() as caller:
            caller.settimeout(5)
            return caller.connect_ex(("127.0.0.1", self.port)) == 0

    def set(self, **knobs: Any) -> None:
        """Turn the knobs of `wordpress/knobs.php` for what is asked from now on; none: back to normal.

        `maintenance=True` is WordPress's own maintenance mode: 503 with `Retry-After: 600`.
        """
        flag = self.www / ".maintenance"
        if knobs.pop("maintenance", False):
            flag.write_text("<?php $upgrading = time();", encoding="ascii")
        else:
            flag.unlink(missing_ok=True)
        new = self.www / "knobs.new"
        new.write_text(json.dumps(knobs), encoding="utf-8")
        new.replace(self.www / "knobs.json")  # never seen half written

    def _link(self, tree: Tree, plugin: bool) -> None:
        # The files at the top are copied: where they lie is where WordPress looks for its settings.
        plugins = self.www / "wp-content" / "mu-plugins"
        plugins.mkdir(parents=True)
        for file in tree.folder.glob("*.php"):
            shutil.copyfile(file, self.www / file.name)
        shutil.copyfile(PARTS / "wp-config.php", self.www / "wp-config.php")
        shutil.copyfile(PARTS / "knobs.php", plugins / "knobs.php")
        for name in ("wp-admin", "wp-includes"):
            (self.www / name).symlink_to(tree.folder / name)
        if plugin:
            shutil.copyfile(PLUGIN, plugins / PLUGIN.name)

    def describe(self) -> None:
        """Tell WordPress where it is; done at each start."""
        words = {"url": self.url, "socket": str(self._database)}
        (self.www / "site.json").write_text(json.dumps(words), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
