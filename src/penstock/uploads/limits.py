"""How much may be under way at once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """``max_uploads`` unfinished at once, ``max_upload_bytes`` of them all together,
    ``max_size`` bytes of one; ``expiry`` is seconds after the last byte."""

    max_uploads: int = 10_000
    max_upload_bytes: int = 1 << 42
    max_size: int = 1 << 40
    expiry: float = 86_400.0
