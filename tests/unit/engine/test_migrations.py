"""The migrations are one line: two that land side by side would leave a database with no way up."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.storage.database import migrations_folder


def test_the_migrations_have_one_head_and_each_one_parent() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(migrations_folder()))
    scripts = ScriptDirectory.from_config(configuration)
    assert len(scripts.get_heads()) == 1, scripts.get_heads()
    revisions = list(scripts.walk_revisions())
    parents = [revision.down_revision for revision in revisions]
    assert len(set(parents)) == len(parents)
