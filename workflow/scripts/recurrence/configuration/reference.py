"""The page and the JSON schema of the configuration, made from its blocks by ``make reference``.

python -m recurrence.configuration.reference
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from recurrence.configuration.blocks import Block, Configuration, block_of

PROJECT = Path(__file__).parents[4]
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "flag"}
LIMITS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}
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
        schema = block.model_json_schema()["properties"][name]
        schema |= schema.get("anyOf", [{}])[0]  # a number that may be null
        yield [
            f"`{within}{name}`",
            "list" if "items" in schema else TYPES[schema["type"]],
            _range(schema, field.title),
            f"`{json.dumps(defaults[name], ensure_ascii=False)}`",
            str(extra.get("unit", "")),
            _text(field.description),
            str(extra["made again"]),
        ]


def _range(schema: dict[str, Any], title: str | None) -> str:
    """The values that a key may have."""
    names = schema.get("enum") or schema.get("items", {}).get("enum")
    if names and "items" in schema:
        return f"{'one' if schema.get('minItems') else 'none'} or more of {', '.join(names)}"
    bounds = " ".join(
        f"{word} {schema[limit]}" for limit, word in LIMITS.items() if limit in schema
    )
    parts = [*(names or ()), bounds, title or "", "or null" if "anyOf" in schema else ""]
    return ", ".join(filter(None, parts))


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


if __name__ == "__main__":
    if sys.flags.optimize > 1:
        sys.exit(
            "The descriptions are docstrings, which Python leaves out here: unset PYTHONOPTIMIZE"
        )
    (PROJECT / "workflow/schemas/config.schema.json").write_text(schema(), "utf-8")
    (PROJECT / "docs/configuration.md").write_text(page(), "utf-8")
