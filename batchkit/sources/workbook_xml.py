"""Where things are in an xlsx file: which part holds a sheet, and how its cells are addressed."""

from __future__ import annotations

import zipfile
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET


def letters(column: int) -> str:
    """Column 1 as `A`, 27 as `AA`."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def place(address: str) -> tuple[int, int]:
    """`B12` as (12, 2): row and column, counted from 1."""
    column = 0
    for at, letter in enumerate(address):
        if not letter.isalpha():
            return int(address[at:]), column
        column = column * 26 + ord(letter.upper()) - 64
    return 0, column


def sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name of each sheet → name of the part that holds it, in the workbook's order.

    A workbook whose own parts are missing or broken has no sheets.
    """
    try:
        book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - expat itself stops entity bombs
        links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    except (KeyError, ET.ParseError):
        return {}
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    parts: dict[str, str] = {}
    for element in book.iter():
        if element.tag.rpartition("}")[2] == "sheet":
            key = next((value for name, value in element.attrib.items() if name.endswith("}id")), None)
            # Targets are relative to the workbook's own folder, or begin with the package's root.
            parts[element.get("name", "")] = str(PurePosixPath("/xl") / targets.get(key, ""))[1:]
    return parts
