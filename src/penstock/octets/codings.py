"""Content codings (RFC 9110 §8.4.1): which ones a client accepts, and the tags of coded bytes."""

import re
from collections.abc import Sequence
from typing import Final

from penstock.octets.compressible import is_compressed, is_compressible

IDENTITY: Final = "identity"
GZIP: Final = "gzip"
BROTLI: Final = "br"
ZSTD: Final = "zstd"
SUFFIXES: Final = {ZSTD: ".zst", BROTLI: ".br", GZIP: ".gz"}
"""What a file is called that holds the coded bytes of the file without it; best coding first."""

LEAST: Final = 8192
"""Bytes below which a coding saves nobody any time."""

_ALIASES: Final = {"x-gzip": GZIP}  # RFC 9110 §8.4.1.3
_ELEMENT: Final = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?",
    re.ASCII | re.IGNORECASE,
)
_CODED_TAG: Final = re.compile(r"(.+)-(gzip|br|zstd)(?:\.[^\"]*)?", re.DOTALL)


def accepted(accept_encoding: str, offered: Sequence[str]) -> list[str]:
    """The codings that a client may be sent, the one it likes best first; never empty.

    ``offered`` is in the server's order of preference, which decides where the client's weights
    are equal. ``identity`` is among them unless the client excludes it and accepts something else;
    it comes last unless it has a weight (RFC 9110 §12.5.3). Malformed elements are passed over,
    so nobody is sent a coding that was not clearly asked for.
    """
    weights = _weights(accept_encoding)
    others = weights.get("*", 0.0)
    wanted = {coding: weights.get(coding, others) for coding in offered}
    # Identity without a weight is acceptable, but nothing says that it is liked.
    wanted[IDENTITY] = weights.get(IDENTITY, others if "*" in weights else 0.0005)
    liked = [coding for coding in wanted if wanted[coding] > 0]
    return sorted(liked, key=wanted.__getitem__, reverse=True) or [IDENTITY]


def _weights(accept_encoding: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for element in accept_encoding.split(","):
        if match := _ELEMENT.fullmatch(element):
            coding = match[1].lower()
            weights.setdefault(_ALIASES.get(coding, coding), float(match[2] or 1))
    return weights


def forbids_transform(cache_control: str) -> bool:
    """Does ``Cache-Control`` say ``no-transform`` (RFC 9111 §5.2.1.6)?"""
    return any(
        directive.strip().lower() == "no-transform" for directive in cache_control.split(",")
    )


def worth_coding(name: str, content_type: str, size: int) -> bool:
    """Is a file of this name, type and size likely to be sent faster in a coding?"""
    return size >= LEAST and is_compressible(content_type) and not is_compressed(name, content_type)


def coded_tag(version: str, coding: str, detail: str = "") -> str:
    """The opaque tag of a version's bytes in a coding: each coding has one of its own.

    ``detail`` tells apart what else may differ.
    """
    return f"{version}-{coding}.{detail}" if detail else f"{version}-{coding}"


def split_tag(tag: str) -> tuple[str, str]:
    """The version and the coding that an opaque tag stands for."""
    match = _CODED_TAG.fullmatch(tag)
    return (match[1], match[2]) if match else (tag, IDENTITY)
