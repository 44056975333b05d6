"""Checksums and content types of stored files; selections for ZIP downloads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "checksums",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("etag", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary),
        sa.Column("crc32", sa.BigInteger, nullable=False),
        sa.Column("content_type", sa.Text),
    )
    op.create_table(
        "selections",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
    )
    op.create_index("ix_selections_expires", "selections", ["expires"])


def downgrade() -> None:
    op.drop_table("selections")
    op.drop_table("checksums")
