"""Events that wait to be told to a webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("due", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("fence", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("ix_outbox_due", "outbox", ["due", "sequence"])
    op.create_index("ix_outbox_subject", "outbox", ["subject", "sequence"])


def downgrade() -> None:
    op.drop_table("outbox")
