"""What opens an address, by its scheme: batchkit's own, what a process registers, what packages add.

A package adds one by an entry point of the group `batchkit.targets` or `batchkit.sources`, named like the
scheme; nothing here has to know of it:

    [project.entry-points."batchkit.targets"]
    shop = "shop_for_batchkit:ShopTarget"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def scheme_of(address: str) -> str:
    """What stands before the colon of an address, up to a plus: `http+https://host` has the scheme `http`."""
    return address.split(":", 1)[0].split("+", 1)[0].strip().lower()


def plain_host(host: str) -> str:
    """A host in one spelling: in small letters, and this machine by one of its names."""
    host = host.lower().rstrip(".")
    return "localhost" if host in ("127.0.0.1", "::1") else host


class Registry:
    """Openers by scheme: classes or functions that take an address and options.

    Where a scheme is there twice, what the process registered comes before batchkit's own, and that before
    what packages add: nobody takes over `https` by being installed.

    Args:
        what: What they open, as a message names it: `source` or `target`. The entry points' group is its
            plural.
        own: Those of batchkit, as `package.module:name`. They are imported when they are needed.
    """

    def __init__(self, what: str, own: Mapping[str, str]) -> None:
        self._what = what
        self._own = own
        self._registered: dict[str, str] = {}

    def register(self, scheme: str, path: str) -> None:
        """Make addresses that start with `scheme:` open what is at `path` (`package.module:name`)."""
        self._registered[scheme.lower()] = path

    def schemes(self) -> list[str]:
        """All schemes that can be opened."""
        return sorted({*self._own, *self._registered, *self._added()})

    def opener(self, address: str) -> Any:
        """The class or function that opens an address.

        Raises:
            UsageError: None has that scheme, or the package that adds it can't be imported.
        """
        scheme = scheme_of(address)
        path = self._registered.get(scheme) or self._own.get(scheme)
        if path is not None:
            module, _, name = path.partition(":")
            return getattr(import_module(module), name)
        if scheme in (added := self._added()):
            return self._loaded(scheme, added[scheme])
        raise UsageError(
            f"No {self._what} knows the address {scheme}:...",
            advice=f"Known are: {', '.join(self.schemes())}.",
        )

    def _added(self) -> Mapping[str, EntryPoint]:
        return _entry_points(f"batchkit.{self._what}s")

    def _loaded(self, scheme: str, point: EntryPoint) -> Any:
        try:
            return point.load()
        except Exception as error:  # somebody else's package may fail in any way
            package = point.dist.name if point.dist else point.value
            raise UsageError(
                f"The {self._what} {scheme}: of the package {package} can't be loaded: "
                f"{type(error).__name__}: {error}.",
                advice="Install a version of it that fits this batchkit, or remove it.",
            ) from error


@cache
def _entry_points(group: str) -> Mapping[str, EntryPoint]:
    # Reading the records of every installed package takes a while, and they don't change under a process.
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in entry_points(group=group)}
