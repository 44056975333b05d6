"""Header fields that may come in several lines (RFC 9110 §5.3)."""

from collections.abc import Iterable, Mapping

from multidict import MultiMapping

_LISTS = frozenset(
    {
        "accept", "accept-encoding", "accept-language", "accept-ranges", "cache-control",
        "content-digest", "content-encoding", "content-language", "content-security-policy",
        "if-match", "pragma", "repr-digest", "vary",
    }
)  # fmt: skip


def value_of(headers: Mapping[str, str], name: str) -> str | None:
    """The value of a field: of a list all of it, of any other the first line."""
    if name.lower() in _LISTS and isinstance(headers, MultiMapping):
        lines = headers.getall(name, None)
        return None if lines is None else ", ".join(lines)
    return headers.get(name)


def values_of(headers: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of ``names`` that are there."""
    found = ((name, value_of(headers, name)) for name in names)
    return {name: value for name, value in found if value is not None}
