"""The configuration: what is refused, with which message, and never with another error."""

import copy
import json
import math
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from recurrence.configuration import reference
from recurrence.configuration.blocks import Network, Training
from recurrence.configuration.problems import (
    ConfigurationError,
    check,
    from_command_line,
    overlaid,
)
from wrong_configurations import ALONE, REMOVED, TOGETHER

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"
PRESETS = sorted((ROOT / "workflow" / "presets").glob("*.yaml"))
Config = dict[str, Any]

# The default run, with the sizes that messages below quote.
GOOD: Config = overlaid(
    yaml.safe_load((ROOT / "config.yaml").read_text()),
    {
        "training": {"iterations": 2200, "cooldown": 400},
        "record": {"scenes": 1000},
        "decoding": {"repeats": 1, "scenes": 1000, "scene_repeats": 1},
    },
)


def edited(edits: Config) -> Config:
    """The good configuration with the values at dotted keys replaced, or removed."""
    config = copy.deepcopy(GOOD)
    for key, value in edits.items():
        *path, name = key.split(".")
        block = config
        for step in path:
            block = block[step]
        if value is REMOVED:
            del block[name]
        else:
            block[name] = value
    return config


def problems(config: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        check(config)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def leaves(block: Config, within: str = "") -> list[str]:
    keys = []
    for name, value in block.items():
        keys += leaves(value, f"{within}{name}.") if isinstance(value, dict) else [within + name]
    return keys


def blocks(block: Config, within: str = "") -> list[str]:
    inner = [
        blocks(value, f"{within}{name}.")
        for name, value in block.items()
        if isinstance(value, dict)
    ]
    return [within, *(key for keys in inner for key in keys)]


def numbered(table: list[Any]) -> list[str]:
    return [
        f"{number}-{next(iter(row[0])) if isinstance(row[0], dict) else row[0]}"
        for number, row in enumerate(table)
    ]


@pytest.mark.parametrize(("key", "value", "expected"), ALONE, ids=numbered(ALONE))
def test_a_bad_value_is_one_line_with_its_key_and_what_to_do(
    key: str, value: Any, expected: str
) -> None:
    [line] = problems(edited({key: value}))
    assert line.startswith(f"{key}: {expected}")


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "2.5e-4", "1e-03", ".5", "0.001"])
def test_numbers_as_yaml_reads_them(text: str) -> None:
    """In YAML 1.1, 1e-3 is text. The advice is to write the number that was meant."""
    value = yaml.safe_load(text)
    if isinstance(value, float):
        check(edited({"training.learning_rate": value}))
        return
    [line] = problems(edited({"training.learning_rate": value}))
    assert "to YAML this is text: write 1.0e-3 for 1e-3" in line


def test_the_largest_kernel_is_the_largest_that_leaves_a_map() -> None:
    largest = Network.model_json_schema()["properties"]["kernel"]["maximum"]

    def pooled(kernel: int) -> int:
        return ((100 - kernel + 1) // 3 - kernel + 1) // 3

    assert pooled(largest) >= 1
    assert pooled(largest + 2) < 1


@pytest.mark.parametrize(("edits", "expected"), TOGETHER, ids=numbered(TOGETHER))
def test_keys_that_do_not_go_together_are_one_line(edits: Config, expected: str) -> None:
    [line] = problems(edited(edits))
    assert expected in line


@pytest.mark.parametrize(
    "edits",
    [
        {"network.timesteps": 1, "run.interactions": ["feedforward"]},
        {"network.lateral": [], "network.topdown": [], "run.interactions": ["feedforward"]},
        {"network.topdown": []},
        {"network.kernel": 23},
        {"training.clip_norm": None, "training.learning_rate": 1},
        {"compute.device": "cuda:1"},
        {"data.folder": "/scratch/my images", "data.files": "/home/me/data/"},
        {"decoding.sources": ["recurrent_flow"]},
        {"scenes.clutter": 0},
        {"run.checkpoints.additive": ["/a b/1.pth", "../2.pth"], "run.instances": 2},
        {"perturbation.renderings": ["opposite"], "perturbation.scale.small": 1.5},
    ],
)
def test_unusual_but_right(edits: Config) -> None:
    check(edited(edits))


@pytest.mark.parametrize(
    "preset", [None, *PRESETS], ids=lambda preset: preset.stem if preset else "config"
)
def test_presets_are_valid(preset: Path | None) -> None:
    overlay = yaml.safe_load(preset.read_text()) if preset else {}
    config = overlaid(GOOD, overlay)
    check(config)
    if preset:
        assert config["run"]["name"] == preset.stem, "each preset has results of its own"


def test_there_are_presets() -> None:
    assert {preset.stem for preset in PRESETS} >= {"smoke", "overnight", "weekend", "paper"}


def test_all_problems_are_reported_at_once() -> None:
    edits = {
        "run.name": "a b",
        "network.units": 0,
        "training.lr": 1,
        "record.keep": REMOVED,
        "decoding.fit": 2000,
    }
    assert [line.split(":")[0] for line in problems(edited(edits))] == [
        "run.name",
        "network.units",
        "training.lr",
        "record.keep",
        "decoding.fit",
    ]


def test_rules_do_not_judge_values_that_are_wrong_by_themselves() -> None:
    [line] = problems(edited({"decoding.scenes": "many"}))
    assert line.startswith("decoding.scenes: got 'many'")


@pytest.mark.parametrize("config", [None, [], "quick", 3])
def test_no_configuration_at_all(config: Any) -> None:
    assert problems(config)[0].startswith("all of it: got")


def test_unknown_keys_are_refused_in_every_block() -> None:
    places = blocks(GOOD)
    assert len(places) > 15
    for place in places:
        [line] = problems(edited({f"{place}zzz": 1}))
        assert line.startswith(f"{place}zzz: there is no such key")


def test_every_key_is_required_and_described() -> None:
    for key in leaves(GOOD):
        [line] = problems(edited({key: REMOVED}))
        assert line.startswith(f"{key}: is missing: docs/configuration.md")
    schema = json.loads(SCHEMA.read_text())
    for block in (schema, *schema["$defs"].values()):
        assert block["description"]
        assert block["additionalProperties"] is False
        assert block["required"] == list(block["properties"])
        assert all("$ref" in key or key["description"] for key in block["properties"].values())


def test_schema_and_page_are_up_to_date() -> None:
    """If this fails after a change of the blocks, run make reference."""
    assert SCHEMA.read_text() == reference.schema()
    assert (ROOT / "docs/configuration.md").read_text() == reference.page()


def test_the_page_has_every_key() -> None:
    parts = reference.page().split("\n## ")[1:]
    rows = {
        f"{part.split()[0]}.{key}": row
        for part in parts
        for key, row in re.findall(r"^\| `([\w.]+)` (\|.+\|)$", part, re.MULTILINE)
    }
    assert leaves(GOOD) == [key for key in leaves(GOOD) if key in rows]
    assert all(row.count("|") == 7 for row in rows.values())
    assert "| whole number | from 0 to 1000000000 | `200` | iterations |" in rows["training.warmup"]


def test_the_editors_schema_agrees_with_the_blocks() -> None:
    """Read by the package jsonschema, which takes 1.0 for an integer."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    reader = Draft202012Validator(schema)
    assert reader.is_valid(yaml.safe_load((ROOT / "config.yaml").read_text()))
    rules = ("leave none to", "are more than", "more than training", "one timestep", "is the first")
    for key, value, expected in ALONE:
        finite = not isinstance(value, float) or (math.isfinite(value) and not value.is_integer())
        if finite and not isinstance(value, date) and not any(rule in expected for rule in rules):
            assert not reader.is_valid(edited({key: value})), (key, value)


def test_params_are_plain_and_sorted_whatever_the_order() -> None:
    def turned(block: Any) -> Any:
        if not isinstance(block, dict):
            return block
        return {key: turned(block[key]) for key in reversed(block)}

    def assert_sorted(block: Any) -> None:
        assert type(block) in (dict, list, str, int, float, bool, type(None))
        if isinstance(block, dict):
            assert list(block) == sorted(block)
            for part in block.values():
                assert_sorted(part)

    plain = check(GOOD).plain()
    assert plain == GOOD
    assert_sorted(plain)
    assert json.dumps(plain) == json.dumps(check(turned(GOOD)).plain())


def test_blocks_are_typed_and_cannot_be_changed() -> None:
    training = check(GOOD).training
    assert training == Training(**GOOD["training"])
    assert (training.iterations, training.learning_rate) == (2200, 0.002)
    with pytest.raises(ValidationError):
        Training(**{**GOOD["training"], "batch": True})
    with pytest.raises(ValidationError):
        training.batch = 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\n", []),
        (
            "run: {name: a}\nseed: 1\nrun: {seed: 3}\n",
            ["run: is given twice in {}, in lines 1 and 3"],
        ),
        (
            "run:\n  seed: 1\n  name: a\n  seed: 1\n",
            ["run.seed: is given twice in {}, in lines 2 and 4"],
        ),
        ("run: {seed: 1, seed: 2}\n", ["run.seed: is given twice in {}, in lines 1 and 1"]),
        ('{"a": 1,\n "a": 2}', ["a: is given twice in {}, in lines 1 and 2"]),
        ("a: 1\n'a': 1\na: 2", ["a: is given twice in {}, in lines 1 and 2", "a: is given twice"]),
        ("base: &base {a: 1}\nx: {<<: *base, a: 2}\ny: *base\n", []),
        ("", []),
    ],
)
def test_keys_given_twice_are_named_with_both_lines(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(text)
    if not expected:
        check(GOOD, [path])
        return
    with pytest.raises(ConfigurationError) as caught:
        check(GOOD, [path])
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start.format(path))


def test_the_command_line_is_read_as_yaml() -> None:
    """What Snakemake gives for --config 'training={iterations: 4000, ...}': text in blocks."""
    given = {
        "training": {"iterations": "4000", "learning_rate": "1.0e-3", "clip_norm": "null"},
        "run": {"name": "2024", "interactions": ["additive"], "checkpoints": {"additive": []}},
        "record": {"keep": "true", "scenes": "1e3"},
        "decoding": "none",
        "nonsense": {"a": "1"},
    }
    assert from_command_line(given) == {
        "training": {"iterations": 4000, "learning_rate": 0.001, "clip_norm": None},
        "run": {"name": "2024", "interactions": ["additive"], "checkpoints": {"additive": []}},
        "record": {"keep": True, "scenes": "1e3"},
        "decoding": "none",
        "nonsense": {"a": "1"},
    }


@pytest.mark.parametrize("text", ["*all", "*", "%", "[multiplicative", "{a", "!a b"])
def test_text_on_the_command_line_that_is_no_yaml_is_refused_by_its_key(text: str) -> None:
    config = overlaid(GOOD, from_command_line({"network": {"lateral": text}}))
    assert [line.split(":")[0] for line in problems(config)] == ["network.lateral"]


def test_the_reference_is_not_made_without_docstrings() -> None:
    words = [sys.executable, "-OO", "-m", "recurrence.configuration.reference"]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    result = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert result.returncode == 1 and "unset PYTHONOPTIMIZE" in result.stderr


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.integers(-2, 5),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            "1e-3",
            "nan",
            "inf",
            "1e400",
            "4",
            "null",
            "additive",
            "~",
            "0x10",
            "1_0",
            10**400,
            -0.0,
            1e-320,
        ]
    ),
    st.dates(),
    st.lists(
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.just([])),
        max_size=3,
    ),
    st.dictionaries(
        st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none()),
        st.integers(),
        max_size=2,
    ),
)


@given(
    st.dictionaries(
        st.sampled_from([*leaves(GOOD), "scenes.scale", "network"]), JUNK, min_size=1, max_size=2
    )
)
@settings(max_examples=600, deadline=None)
def test_junk_is_refused_or_right_but_never_another_error(edits: Config) -> None:
    edits = dict(sorted(edits.items(), reverse=True))  # leaves before the block that they are in
    config = edited(edits)
    try:
        check(config)
    except ConfigurationError as error:
        lines = str(error).splitlines()
        assert len(lines) > 1
        assert all(line.startswith("  ") and ": " in line and len(line) < 300 for line in lines[1:])
    else:
        for key, value in edits.items():
            kept: Any = GOOD
            for step in key.split("."):
                kept = kept[step]
            if type(value) in (int, float):
                assert type(kept) in (int, float)
                assert math.isfinite(value)
            else:
                assert type(value) is type(kept) or (key, value) == ("training.clip_norm", None)


ZERO = {  # the numbers that may be 0
    "run.seed",
    "scenes.clutter",
    "scenes.scale.jitter",
    "scenes.orientation.jitter",
    "scenes.location.jitter",
    "training.warmup",
    "training.cooldown",
    "training.curriculum",
    "perturbation.scale.jitter",
    "perturbation.orientation.jitter",
    "perturbation.location.jitter",
}
HUGE = {"run.seed", "training.iterations", "compute.checkpoint_every"}  # those without a limit


@pytest.mark.parametrize(
    ("value", "welcome"), [(-1, set()), (0, ZERO), (10**9, HUGE), (math.nan, set()), ("1", set())]
)
def test_every_number_has_its_bounds(value: Any, welcome: set[str]) -> None:
    accepted = set()
    for key in leaves(GOOD):
        kept: Any = GOOD
        for step in key.split("."):
            kept = kept[step]
        if type(kept) in (int, float):
            try:
                check(edited({key: value}))
                accepted.add(key)
            except ConfigurationError:
                pass
    assert accepted == welcome


def test_import_is_light() -> None:
    """Snakemake imports it each time it reads the Snakefile."""
    code = "import recurrence.configuration.problems, sys; print(*sys.modules)"
    folder = SCHEMA.parents[1] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "torch", "scipy", "h5py", "pandas", "snakemake"} & set(done.stdout.split())
