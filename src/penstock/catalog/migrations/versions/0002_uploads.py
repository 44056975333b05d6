"""Uploads that can be resumed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger),
        sa.Column("content_type", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("concat", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("part_group", sa.Text, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("plain", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
    )
    for column in ("state", "key", "part_group", "expires", "holder"):
        op.create_index(f"ix_uploads_{column}", "uploads", [column])


def downgrade() -> None:
    op.drop_table("uploads")
