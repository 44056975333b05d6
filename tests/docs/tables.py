"""What the reference pages list and the code knows: routes and errors, as Markdown tables.

``python -m tests.docs.tables`` writes them into the pages, between their markers;
test_reference.py holds the pages to them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from penstock import errors
from penstock.errors import Exit, PenstockError
from tests.docs.pages import DOCS, ROOT

_CONTRACT = ROOT / "src" / "penstock" / "server" / "openapi.yaml"
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_MEANT = re.compile(r"[├└]── (\w+) +(?:\d{3})? *(.*)")
_EXITS = {
    Exit.OK: "done",
    Exit.FAILED: "failed",
    Exit.USAGE: "the command line, or the request, is not understood",
    Exit.PARTIAL: "some of several did not work",
    Exit.NOT_FOUND: "there is no such file, folder, job",
    Exit.TEMPORARY: "trouble of the server or the network; running it again may help",
    Exit.REFUSED: "the server refused, or something is in the way",
    Exit.MISMATCH: "the bytes are not those that their digest speaks of",
    Exit.INTERRUPTED: "interrupted (SIGINT, SIGTERM, SIGHUP); what came is kept",
}


def routes() -> str:
    """Every operation of the contract, by its tag."""
    lines = []
    for tag, operations in groupby(_operations(), key=lambda operation: operation[0]):
        lines += [f"### {tag}", "", "| request | | scope |", "|---|---|---|"]
        lines += [
            f"| {request} | {summary} | {scope} |" for _, request, summary, scope in operations
        ]
        lines.append("")
    return "\n".join(lines)


def _operations() -> Iterator[tuple[str, str, str, str]]:
    contract: Mapping[str, Any] = yaml.safe_load(_CONTRACT.read_text())
    order = [tag["name"] for tag in contract["tags"]]
    found = [
        (operation["tags"][0], path, method, operation)
        for path, operations in contract["paths"].items()
        for method, operation in operations.items()
        if method in _METHODS and method != "head"
    ]
    for tag, path, method, operation in sorted(found, key=lambda each: order.index(each[0])):
        scope = _scope(operation.get("security", []))
        yield tag, f"`{method.upper()} {path}`", operation["summary"], scope


def _scope(security: list[dict[str, list[str]]]) -> str:
    asked = [needs["token"] for needs in security if "token" in needs]
    if not asked:
        return "open"
    [scopes] = asked
    named = next((f"`{scope}`" for scope in scopes if scope != "whole"), "any")
    return f"{named}, no folder" if "whole" in scopes else named


def error_codes() -> str:
    """Every class of the tree of errors."""
    rows = sorted(_errors(), key=lambda row: (row[1], row[0]))
    lines = ["| code | status | exit code | again? | |", "|---|---|---|---|---|"]
    for code, status, leaving, again, meaning in rows:
        lines.append(f"| `{code}` | {status} | {leaving} | {again} | {meaning} |")
    return "\n".join([*lines, ""])


def _errors() -> Iterator[tuple[str, int, int, str, str]]:
    meanings = dict(_MEANT.findall(errors.__doc__ or ""))
    kinds: list[type[PenstockError]] = [PenstockError, *_below(PenstockError)]
    for kind in kinds:
        meaning = meanings.get(kind.__name__, "") or _plain(kind)
        again = "yes" if kind.retryable else ""
        yield kind.code, kind.status, int(kind.exit_code), again, meaning


def _plain(kind: type[PenstockError]) -> str:
    """What the name of a status says where the tree says nothing."""
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()
    return "a bug; the log of the server has it" if kind is PenstockError else words


def _below(kind: type[PenstockError]) -> Iterator[type[PenstockError]]:
    """The classes of the module itself; other rooms and tests may have subclasses of their own."""
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _below(child)


def exit_codes() -> str:
    """What commands end with."""
    rows = [f"| {code.value} | {_EXITS[code]} |" for code in Exit]
    return "\n".join(["| exit code | |", "|---|---|", *rows, ""])


TABLES: Mapping[str, tuple[Path, Callable[[], str]]] = {
    "routes": (DOCS / "reference" / "http.md", routes),
    "errors": (DOCS / "reference" / "errors.md", error_codes),
    "exit codes": (DOCS / "reference" / "errors.md", exit_codes),
}


def around(name: str, page: str) -> tuple[str, str, str]:
    """A page before, in and after a table: what stands between its two markers."""
    before, opened, rest = page.partition(f"<!-- {name} -->\n")
    inside, closed, after = rest.partition(f"<!-- end of {name} -->")
    assert all((opened, closed)), f"the page has no place for {name}"
    return before + opened, inside, closed + after


def shown(table: Callable[[], str]) -> str:
    """A table between its markers: apart from them, or it would go on with them."""
    return f"\n{table()}\n"


def main() -> None:
    """Write the tables into their pages."""
    for name, (path, table) in TABLES.items():
        before, _, after = around(name, path.read_text())
        path.write_text(before + shown(table) + after)


if __name__ == "__main__":
    main()
