"""How archives are made inside a store."""

from dataclasses import dataclass
from typing import Final

GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Dollars for 1,000 requests paid as PUT, for 1,000 paid as GET, for a GiB that leaves."""

    put: float = 0.005
    get: float = 0.0004
    out: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOptions:
    """What the operator chose; times are seconds.

    ``store`` is the URL of the store. A folder of more than ``threshold`` bytes is a large one. An
    archive for which no key was asked goes below ``exports``. One that is finished answers the
    same request for ``valid``. ``link`` is "direct", "presigned" or "public", and ``link_expiry``
    how long a presigned one is good for. No folder may have more than ``most`` files.
    """

    store: str = ""
    threshold: int = 5 * GIB
    exports: str = "exports/"
    valid: float = 3600.0
    link: str = "direct"
    link_expiry: float = 3600.0
    most: int = 1_000_000
    prices: Prices = Prices()
