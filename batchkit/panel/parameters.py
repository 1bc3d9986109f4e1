"""Parameters of a notebook: what papermill injects is held against what the notebook declares.

papermill only warns about a name it doesn't know, and the notebook goes on with its default. Here that fails.
"""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..core import secrets
from ..core.errors import UsageError
from ..core.model import KINDS
from ..core.words import did_you_mean

_INJECTED: Final = "# Parameters"  # the first line of the cell papermill writes
_SECRET_NAME: Final = re.compile(
    r"(?i)(^|_)(password|passwd|passphrase|pwd|token|secret|api_?key|private_?key|credential)s?(_|$)"
)
_NOT_LITERAL: Final = object()


def check_parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Hold injected parameters against the declared ones; to be called by the cell after the parameters.

    The texts of the executed cells stand in the kernel's history (`In`): the cells that hold nothing but
    assignments of literals declare the names, the cell papermill wrote may only use those. Without such a
    cell (an operator runs the notebook by hand) only secrets are looked for.

    Args:
        namespace: The notebook's `globals()`.

    Returns:
        The parameters with their values, in the order they are declared.

    Raises:
        UsageError: A name is unknown, a value has another type than the declared one, or a secret's value is
            passed where its name belongs.
    """
    cells = [text for text in namespace.get("In", ()) if isinstance(text, str)]
    declared, injected = _declared_and_injected(cells)
    if injected:
        _check_names(declared, injected)
        _check_types(declared, injected)
    values = {name: namespace.get(name, value) for name, value in declared.items()}
    _check_secrets(values)
    return values


def find_file(name: str | Path) -> Path | str:
    """The file of that name in the working folder or the nearest folder above it; an address as it is.

    JupyterLab works in the notebook's folder and papermill in the caller's: one name has to serve both.

    Returns:
        The path that exists, or `name` as it is when none does (reading it then says what is missing).
    """
    from ..sources.base import local_path

    path = local_path(name)
    if path is None:
        return str(name)
    path = path.expanduser()
    here = Path.cwd()
    found = (folder / path for folder in (here, *here.parents[:3]) if (folder / path).exists())
    return path if path.is_absolute() else next(found, path)


def scratch_target(name: str = "scratch") -> str:
    """The address of an SQLite file that doesn't exist yet, in a new folder for temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="batchkit-"))
    return f"sqlite:///{(folder / name).with_suffix('.sqlite').as_posix()}"


def names(text: str) -> list[str]:
    """The names in a text such as `siren, nic`: a parameter that a command line can pass."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _declared_and_injected(cells: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    declared: dict[str, Any] = {}
    injected: dict[str, Any] = {}
    for text in cells:
        if (found := _assignments(text)) is None:
            continue
        if _is_injected(text) and declared:
            injected = found  # a later one replaces an earlier one: the notebook was run again
        elif _NOT_LITERAL not in found.values():
            declared.update(found)
    return declared, injected


def _is_injected(text: str) -> bool:
    first, *rest = text.strip().splitlines()
    return first.strip() == _INJECTED and all(line.strip() and not line.startswith("#") for line in rest)


def _assignments(text: str) -> dict[str, Any] | None:
    """Names and literal values of a cell of assignments only; None for any other cell."""
    try:
        body = ast.parse(text).body
    except SyntaxError:  # a cell with a magic
        return None
    found: dict[str, Any] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = _literal(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = _literal(value)
            case _:
                return None
    return found or None


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:  # float('nan'), as papermill writes it
        return _NOT_LITERAL


def _check_names(declared: Mapping[str, Any], injected: Mapping[str, Any]) -> None:
    for name in injected:
        if name not in declared:
            raise UsageError(
                f"The notebook has no parameter {name!r}.",
                advice=did_you_mean(name, declared),
                parameter=name,
            )


def _check_types(declared: Mapping[str, Any], injected: Mapping[str, Any]) -> None:
    for name, value in injected.items():
        default = declared[name]
        if default is None or value is None or value is _NOT_LITERAL:
            continue
        wanted: tuple[type, ...] = (int, float) if type(default) is float else (type(default),)
        if type(value) not in wanted:
            raise UsageError(
                f"Parameter {name!r} must be {_type_word(default)} and is {_type_word(value)}.",
                advice=f"`-r {name} VALUE` passes it as text." if isinstance(default, str) else "",
                parameter=name,
            )


def _type_word(value: Any) -> str:
    return KINDS.get(type(value), f"a {type(value).__name__}")


def _check_secrets(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if _holds_secret(name, value):
            # The value itself is never repeated: the message ends up in the notebook that papermill keeps.
            raise UsageError(
                f"Parameter {name!r} holds a secret, and a notebook keeps its parameters readable.",
                advice="Store the value in the environment, .env or the keyring, pass its name"
                " ({secret:NAME}), and replace the secret: it stands in the notebook papermill wrote.",
                parameter=name,
            )


def _holds_secret(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    if secrets.exposes_password(value):
        return True
    return bool(_SECRET_NAME.search(name)) and not secrets.names(value)
