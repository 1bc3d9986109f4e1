"""What a file really is, by its bytes: names lie."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..core.errors import SourceError
from ..core.problem import Problem, warning
from .sheet_marks import UNREADABLE

_HEAD = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".tab", "")
_BOOK_ENDINGS = {
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xltx": "xlsx",
    ".xltm": "xlsx",
    ".xls": "xls",
    ".xlsb": "xlsb",
    ".ods": "ods",
}
_OTHERS = (
    (b"%PDF", "a PDF", "Export the table from where it comes from as CSV or Excel."),
    (b"\x1f\x8b", "packed with gzip", "Unpack it first."),
    (b"BZh", "packed with bzip2", "Unpack it first."),
    (b"\xfd7zXZ", "packed with xz", "Unpack it first."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
    (b"PAR1", "a Parquet file", "Read it with polars.read_parquet and give the frame."),
    (b"SQLite format 3", "an SQLite database", "Give a query on it instead."),
    (b"\x89PNG", "a picture", "Give the table itself."),
    (b"\xff\xd8\xff", "a picture", "Give the table itself."),
    (b"{\\rtf", "an RTF document", "Copy the table into a spreadsheet and save that."),
)
_SAVE_AS = "Open it in a spreadsheet program and save it as .xlsx or .csv."


def kind_of(path: Path) -> tuple[str, list[Problem]]:
    """What the file is, and a warning where its name says otherwise.

    Returns:
        "csv", "xlsx", "xls", "xlsb" or "ods".

    Raises:
        SourceError: It is missing, a folder, empty, may not be read, is encrypted, or holds no table.
    """
    head = _head(path)
    kind = _by_bytes(path, head)
    ending = path.suffix.lower()
    said = _BOOK_ENDINGS.get(ending, "csv" if ending in _TEXT_ENDINGS else None)
    if said is None or said == kind:
        return kind, []
    if kind == "csv":
        _refuse_prose(path, head)
    what = "text (CSV)" if kind == "csv" else f"an Excel or OpenDocument workbook (.{kind})"
    return kind, [
        warning("extension", f"The name ends in {ending} but the file is {what}; it is read as that")
    ]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as problem:
        what, advice = f"{path} can't be read: {problem.strerror}.", "Check the path."
        if isinstance(problem, FileNotFoundError):
            what = f"There is no file {path}."
            advice = "Check the path; the folder it starts from may be another."
        elif path.is_dir():
            what, advice = f"{path} is a folder.", "Give one file in it."
        elif isinstance(problem, PermissionError):
            what = f"{path} may not be read ({problem.strerror})."
            advice = "Ask for the right to read it, or copy it."
        raise SourceError(what, advice=advice, path=path) from None
    if not head:
        raise SourceError(f"{path.name} is empty.", advice="Export it again.", path=path)
    return head


def _by_bytes(path: Path, head: bytes) -> str:
    if head.startswith(_OLE):
        return _ole_kind(path)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    for magic, what, advice in _OTHERS:
        if head.startswith(magic):
            raise SourceError(f"{path.name} is {what}, not a table.", advice=advice, path=path)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table", b"<?xml", b"<workbook")):
        raise SourceError(f"{path.name} is a web page or XML, not a table.", advice=_SAVE_AS, path=path)
    return "csv"


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype") if "mimetype" in names else b""
    except UNREADABLE:
        message = f"{path.name} is damaged: it begins like a workbook but is cut off."
        raise SourceError(message, advice="Copy or download it again.", path=path) from None
    if "xl/workbook.bin" in names:
        return "xlsb"
    if any(name.startswith("xl/") for name in names):
        return "xlsx"
    if b"opendocument.spreadsheet" in mimetype:
        return "ods"
    advice = "Unpack it and give the table in it."
    raise SourceError(f"{path.name} is a ZIP archive, not a workbook.", advice=advice, path=path)


def _ole_kind(path: Path) -> str:
    from .workbook import password_protected

    data = path.read_bytes()
    if _ENCRYPTED in data:
        raise password_protected(path)
    if any(name.encode("utf-16-le") in data for name in ("Workbook", "Book")):
        return "xls"
    raise SourceError(f"{path.name} is an Office document, not a workbook.", advice=_SAVE_AS, path=path)


def _refuse_prose(path: Path, head: bytes) -> None:
    from .csv import find_delimiter, has_columns

    text, held = head.decode("latin-1"), "binary data" if 0 in head else "plain text"
    if not has_columns(text, find_delimiter(text, last=len(head) < _HEAD)):
        advice = "Export it again, or rename it to .csv if it is a table of one column."
        raise SourceError(f"{path.name} is not an Excel file: it holds {held}.", advice=advice, path=path)
