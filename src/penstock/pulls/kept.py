"""What a pull keeps from one attempt to the next: its upload, and which version comes into it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.pulls.wish import Wish
from penstock.remote import RemoteFile


@dataclass(frozen=True, slots=True)
class Kept:
    """``upload`` is the id of the upload with the bytes that came of ``file``."""

    upload: str
    file: RemoteFile

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any], wish: Wish) -> "Kept | None":
        """Read the checkpoint of a job; ``None`` if nothing was begun that counts."""
        told = checkpoint.get("file")
        if told is None:
            return None
        sha256 = told["sha256"]
        file = RemoteFile(
            url=wish.url,
            headers=wish.headers,
            size=told["size"],
            etag=told["etag"],
            modified=told["modified"],
            ranges=told["ranges"],
            content_type=told["content_type"],
            sha256=None if sha256 is None else bytes.fromhex(sha256),
            fresh=told["fresh"],
        )
        return cls(checkpoint["upload"], file)

    def to_checkpoint(self) -> dict[str, Any]:
        """What :meth:`of` reads; nothing in it is secret."""
        file = self.file
        return {
            "upload": self.upload,
            "file": {
                "size": file.size,
                "etag": file.etag,
                "modified": file.modified,
                "ranges": file.ranges,
                "content_type": file.content_type,
                "sha256": None if file.sha256 is None else file.sha256.hex(),
                "fresh": file.fresh,
            },
        }
