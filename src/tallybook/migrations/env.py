"""Run by Alembic: where the tables are, and that the version is kept beside them."""

from alembic import context

from tallybook.database import SCHEMA
from tallybook.migrations import VERSION_TABLE

connection = context.config.attributes["connection"]
schema = None if connection.dialect.name == "sqlite" else SCHEMA
context.configure(
    connection=connection,
    version_table=VERSION_TABLE,
    version_table_schema=schema,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
