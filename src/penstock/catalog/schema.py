"""The tables of the catalog. A change here needs a migration in ``migrations/versions``."""

from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, Table, Text

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"}
)

checksums = Table(
    "checksums",
    metadata,
    Column("key", Text, primary_key=True),
    # The version of the file that the rest of the row is true of.
    Column("etag", Text, primary_key=True),
    # 32 bytes, or null when it was not taken.
    Column("sha256", LargeBinary),
    Column("crc32", BigInteger, nullable=False),
    # As the uploader said, or null.
    Column("content_type", Text),
)

selections = Table(
    "selections",
    metadata,
    # Unguessable: whoever knows it may fetch the ZIP.
    Column("id", Text, primary_key=True),
    # The selection as JSON.
    Column("spec", Text, nullable=False),
    # Seconds since 1970.
    Column("expires", Float, nullable=False, index=True),
)
