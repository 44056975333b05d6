"""Storage nodes, and the files that are kept in parts on them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("capacity", sa.BigInteger, nullable=False),
        sa.Column("free", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.Column("joined", sa.Float, nullable=False),
        sa.Column("seen", sa.Float, nullable=False),
        sa.Column("scrubbed", sa.Float),
        sa.Column("draining", sa.Boolean, nullable=False),
    )
    op.create_table(
        "cluster_files",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", _Name, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("content_type", sa.Text),
        sa.Column("sha256", sa.LargeBinary),
        sa.Column("crc32", sa.BigInteger),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("processed", sa.BigInteger),
        sa.Column("replaced", sa.Boolean),
        sa.Column("read_until", sa.Float, nullable=False),
    )
    op.create_table(
        "cluster_keys",
        sa.Column("key", _Name, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
    )
    op.create_index("ix_cluster_keys_file", "cluster_keys", ["file"])
    op.create_table(
        "cluster_parts",
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("crc32", sa.BigInteger),
        sa.Column("blocks", sa.LargeBinary),
    )
    op.create_table(
        "cluster_copies",
        sa.Column("name", _Name, primary_key=True),
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed", sa.Float, nullable=False),
    )
    op.create_index("ix_cluster_copies_node", "cluster_copies", ["node", "name"])
    op.create_index("ix_cluster_copies_file", "cluster_copies", ["file", "number"])
    op.create_index("ix_cluster_copies_state", "cluster_copies", ["state", "changed"])
    op.create_table(
        "cluster_outbox",
        sa.Column("file", sa.Text, primary_key=True),
        sa.Column("due", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fence", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_cluster_outbox_due", "cluster_outbox", ["due"])
    op.create_table(
        "cluster_duties",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "cluster_duties",
        "cluster_outbox",
        "cluster_copies",
        "cluster_parts",
        "cluster_keys",
        "cluster_files",
        "nodes",
    ):
        op.drop_table(table)
