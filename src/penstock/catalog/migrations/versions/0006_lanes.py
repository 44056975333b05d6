"""Lanes of jobs that are paused; jobs are listed by state and by kind."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "lanes",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("paused", sa.Boolean, nullable=False),
    )
    op.create_index("ix_jobs_state", "jobs", ["state", "id"])
    op.create_index("ix_jobs_kind", "jobs", ["kind", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_kind", "jobs")
    op.drop_index("ix_jobs_state", "jobs")
    op.drop_table("lanes")
