"""The tables of the catalog. A change here needs a migration in ``migrations/versions``."""

from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"}
)

checksums = Table(
    "checksums",
    metadata,
    Column("key", Text, primary_key=True, comment="key of the file"),
    Column("etag", Text, primary_key=True, comment="version of the file these facts are true of"),
    Column("sha256", LargeBinary, comment="32 bytes, or null when it was not taken"),
    Column("crc32", BigInteger, nullable=False),
    Column("content_type", Text, comment="as the uploader said, or null"),
)

selections = Table(
    "selections",
    metadata,
    Column("id", Text, primary_key=True, comment="unguessable"),
    Column("spec", Text, nullable=False, comment="the selection as JSON"),
    Column("expires", Float, nullable=False, index=True, comment="seconds since 1970"),
)
