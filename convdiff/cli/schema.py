"""`convdiff schema`: the JSON Schema of a case file."""

from __future__ import annotations

import click

EPILOG = """\b
Example:
  convdiff schema > convdiff.schema.json
\b
and, as a case file's first line, for editors that check YAML:
  # yaml-language-server: $schema=convdiff.schema.json
"""


@click.command("schema", epilog=EPILOG)
def command() -> int:
    """Print the JSON Schema of a case file."""
    import json

    from convdiff.case.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0
