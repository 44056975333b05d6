"""Work that goes on in the background, and its log."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("once", sa.Text, unique=True),
        sa.Column("valid", sa.Float, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("due", sa.Float),
        sa.Column("holder", sa.Text),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("files_done", sa.BigInteger, nullable=False),
        sa.Column("files_total", sa.BigInteger),
        sa.Column("furthest", sa.BigInteger, nullable=False),
        sa.Column("rate", sa.Float),
        sa.Column("saved", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("lines", sa.Integer, nullable=False),
    )
    op.create_index("ix_jobs_lane", "jobs", ["lane", "state", "due"])
    op.create_index("ix_jobs_due", "jobs", ["due"])
    op.create_index("ix_jobs_ended", "jobs", ["ended"])
    op.create_index("ix_jobs_owner", "jobs", ["owner", "kind", "id"])
    op.create_table(
        "job_log",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("job_log")
    op.drop_table("jobs")
