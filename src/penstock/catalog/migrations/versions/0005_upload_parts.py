"""Uploads whose parts go into the store ahead of their end."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("uploads", sa.Column("ahead", sa.Text))


def downgrade() -> None:
    op.drop_column("uploads", "ahead")
