"""An upload as it stands in JSON answers."""

from penstock.server.urls import rfc3339, upload_path
from penstock.uploads import Upload


def upload_json(upload: Upload) -> dict[str, object]:
    """What anybody needs to know who would go on with it."""
    return {
        "id": upload.id,
        "url": upload_path(upload.id),
        "key": upload.key,
        "kind": upload.kind,
        "offset": upload.offset,
        "length": upload.length,
        "active": upload.active,
        "group": upload.group,
        "start": upload.start,
        "metadata": upload.metadata,
        "created": rfc3339(upload.created),
        "expires": rfc3339(upload.expires),
    }
