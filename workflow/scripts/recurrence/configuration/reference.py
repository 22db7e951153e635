"""The page and the JSON schema of the configuration, made from its blocks by ``make reference``.

python -m recurrence.configuration.reference
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from recurrence.configuration.blocks import Block, Configuration
from recurrence.configuration.problems import block_of, schema_of, wanted

PROJECT = Path(__file__).parents[4]
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "flag"}
COLUMNS = ("key", "type", "range", "default", "unit", "meaning", "made again if it changes")
INTRODUCTION = """# Configuration

`make reference` makes this page from `workflow/scripts/recurrence/configuration/blocks.py`. Edit that file, not this
page.

`config.yaml` has all keys, with the default values below. To change some of them, put these in a preset or a file of
your own and add it with `--configfile`. `--config 'training={iterations: 4000}'` changes single values. Unknown keys,
keys that are given twice, values out of range, and keys that do not fit together are reported before any job starts.
Files are YAML 1.1, so write `1.0e-3`: `1e-3` would be text.

The last column is for a change under the same `run.name`. What depends on these files is made again too: tables, the
scorecard, figures and the report.
"""


def schema() -> str:
    """The JSON schema of config.yaml, for editors."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(made | _pruned(Configuration.model_json_schema()), indent=1) + "\n"


def _pruned(schema: Any) -> Any:
    """The schema without our own keywords, and without titles that repeat a key."""
    if isinstance(schema, list):
        return [_pruned(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = (key for key in schema if key not in ("title", "unit", "made again"))
    return {key: _pruned(schema[key]) for key in kept}


def page() -> str:
    """docs/configuration.md: a table for each block."""
    defaults = yaml.safe_load((PROJECT / "config.yaml").read_text("utf-8"))
    parts = [INTRODUCTION]
    for name, field in Configuration.model_fields.items():
        block = block_of(field)
        assert block
        parts += [f"\n## {name}\n", f"{_text(block.__doc__)}\n", _row(COLUMNS)]
        parts.append(_row("---" for _ in COLUMNS))
        parts += map(_row, _rows(block, "", defaults[name], _extra(field).get("made again", "")))
    return "\n".join(parts) + "\n"


def _rows(block: type[Block], within: str, defaults: Any, remade: str) -> Iterator[list[str]]:
    for name, field in block.model_fields.items():
        extra = {"made again": remade} | _extra(field)
        if inner := block_of(field):
            blank = ["block", "", "", "", _text(inner.__doc__), ""]
            yield [f"`{within}{name}`", *blank]
            yield from _rows(inner, f"{within}{name}.", defaults[name], extra["made again"])
            continue
        schema, default = schema_of(block, name), json.dumps(defaults[name], ensure_ascii=False)
        kind = "list" if "items" in schema else TYPES[schema["type"]]
        range_ = wanted(block, name)
        for words in ("a whole number ", "a number ", "a list, each once, of ", "one of "):
            range_ = range_.removeprefix(words)
        range_ = "" if kind == "flag" else range_
        meaning = _text(field.description)
        unit = str(extra.get("unit", ""))
        yield [
            f"`{within}{name}`",
            *(kind, range_, f"`{default}`", unit, meaning, str(extra["made again"])),
        ]


def _extra(field: Any) -> dict[str, Any]:
    return dict(field.json_schema_extra or {})


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _row(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


if __name__ == "__main__":
    (PROJECT / "workflow/schemas/config.schema.json").write_text(schema(), "utf-8")
    (PROJECT / "docs/configuration.md").write_text(page(), "utf-8")
