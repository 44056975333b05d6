"""Header fields of tus 1.0 that tell how an upload stands."""

from email.utils import formatdate

from penstock.downloads import etag_field
from penstock.octets.digests import digest_field
from penstock.server.urls import url_of
from penstock.stores.interface import FileInfo
from penstock.uploads import Kind, Upload


def is_whole(upload: Upload) -> bool:
    """Whether all bytes are there; of a final upload only its parts know."""
    return upload.kind is not Kind.FINAL and upload.offset == upload.length


def progress_fields(upload: Upload) -> dict[str, str]:
    """Where an upload stands, and until when it can be gone on with.

    A final upload has an offset only once it is put together (Concatenation).
    """
    fields = {}
    if upload.kind is not Kind.FINAL or upload.ended:
        fields["Upload-Offset"] = str(upload.offset)
    # A part that is complete is kept for a while only, too.
    if not upload.ended or upload.kind is Kind.PARTIAL:
        fields["Upload-Expires"] = formatdate(upload.expires, usegmt=True)
    return fields


def status_fields(upload: Upload) -> dict[str, str]:
    """What HEAD tells."""
    fields = {"Cache-Control": "no-store", **progress_fields(upload)}
    if upload.length is not None:
        fields["Upload-Length"] = str(upload.length)
    elif upload.kind is not Kind.FINAL:
        fields["Upload-Defer-Length"] = "1"
    if upload.metadata:
        fields["Upload-Metadata"] = upload.metadata
    if upload.concat:
        fields["Upload-Concat"] = upload.concat
    return fields


def file_fields(info: FileInfo | None) -> dict[str, str]:
    """What became of a finished upload; nothing for a part, which becomes no file."""
    if info is None:
        return {}
    fields = {"ETag": etag_field(info.etag), "Content-Location": url_of(info.key)}
    if info.sha256 is not None:
        fields["Repr-Digest"] = digest_field(info.sha256)
    return fields
