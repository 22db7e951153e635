"""What runs again after a change of a key, of the code or of the folder, and what does not."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from study import CHECKPOINTS, ROOT, RULES, TINY, TRAINED, Study, overlay_of


def test_a_second_run_does_nothing(finished: Study) -> None:
    assert finished.planned() == {}


END = {"tables", "scorecard", "figure", "report"}
TRAINING = TRAINED | {"examples"} | END
IMPORT = TRAINING - {"train_network"} | {"import_network"}
RECORDING = {"record_network", "decode_network", "examples"} | END
PERTURBATION = {"perturb_network"} | END
SCENES = TRAINING | {"scenes", "decode_scenes"}
DECODING = RECORDING | {"decode_scenes"}  # recordings are temporary, so they are made again
NETWORK = TRAINING | {"parameters"}
REFUSED = {"nothing, as it is refused"}
CHANGES: dict[str, tuple[Any, set[str]]] = {
    "run.seed": (1, SCENES | {"variants"}),
    "run.instances": (3, TRAINING - {"examples"}),
    "run.interactions": (["multiplicative"], {"examples", "parameters"} | END),
    "run.checkpoints.multiplicative": (CHECKPOINTS, IMPORT),
    "run.checkpoints.additive": (CHECKPOINTS, IMPORT),
    "data.validation": (150, SCENES | {"shards", "variants"}),
    "data.files": ("elsewhere", set()),
    "scenes.set": ("other", {"scenes", "decode_scenes"} | RECORDING),
    "scenes.shard": (20, {"scenes", "decode_scenes"} | RECORDING),
    "scenes.clutter": (3, SCENES | {"variants"}),
    "scenes.scale.small": (0.8, SCENES),
    "scenes.scale.large": (1.4, SCENES),
    "scenes.scale.jitter": (0.05, SCENES),
    "scenes.orientation.angle": (40, SCENES),
    "scenes.orientation.jitter": (3, SCENES),
    "scenes.location.jitter": (1.5, SCENES),
    "network.timesteps": (2, NETWORK),
    "network.channels.conv1": (3, NETWORK),
    "network.channels.conv2": (2, NETWORK),
    "network.kernel": (3, NETWORK),
    "network.units": (9, NETWORK),
    "network.lateral": (["conv1"], NETWORK),
    "network.topdown": (["fc_to_conv1"], NETWORK),
    "training.initialisation": ("paper", TRAINING),
    "training.iterations": (7, TRAINING),
    "training.batch": (5, TRAINING),
    "training.learning_rate": (0.003, TRAINING),
    "training.warmup": (1, TRAINING),
    "training.cooldown": (1, TRAINING),
    "training.curriculum": (3, TRAINING),
    "training.clip_norm": (None, TRAINING),
    "training.precision": ("float32", TRAINING),
    "training.validation_scenes": (11, REFUSED),
    "training.validate_every": (2, REFUSED),
    "record.scenes": (41, RECORDING),
    "record.precision": ("float32", RECORDING),
    "record.keep": (True, RECORDING),
    "decoding.repeats": (2, RECORDING | {"scenes"}),  # more scenes are recorded too
    "decoding.scenes": (39, DECODING),
    "decoding.scene_repeats": (2, {"scenes", "decode_scenes", "scorecard", "figure", "report"}),
    "decoding.fit": (31, DECODING),
    "decoding.sources": (["recurrent_flow"], RECORDING),
    "decoding.images": (["cluttered"], RECORDING),
    "decoding.variables": (["scale"], DECODING),
    "decoding.max_iter": (900, DECODING),
    "decoding.connections": (False, RECORDING),
    "perturbation.repeats": (2, PERTURBATION),
    "perturbation.scenes": (4, PERTURBATION),
    "perturbation.precision": ("float32", PERTURBATION),
    "perturbation.renderings": (["opposite"], PERTURBATION),
    "perturbation.connections": (False, PERTURBATION),
    "perturbation.scale.small": (0.9, PERTURBATION | {"variants"}),
    "perturbation.scale.large": (1.5, PERTURBATION | {"variants"}),
    "perturbation.scale.jitter": (0.01, PERTURBATION | {"variants"}),
    "perturbation.orientation.angle": (30, PERTURBATION | {"variants"}),
    "perturbation.orientation.jitter": (1, PERTURBATION | {"variants"}),
    "perturbation.location.jitter": (1, PERTURBATION | {"variants"}),
    "figures.published": (False, {"figure", "report"}),
    "figures.examples": (3, {"figure", "report"}),
    "figures.dpi": (50, {"figure", "report"}),
    "compute.checkpoint_every": (3, set()),
    "compute.device": ("cpu", set()),
    "compute.threads": (2, set()),
}
EVERYTHING = SCENES | {"shards", "variants"}
CHANGES |= {
    # Runs share shards and scenes.
    "run.name": ("other", EVERYTHING - {"shards", "scenes"} | {"parameters", "categories"}),
    "data.source": ("full", EVERYTHING),
    "data.folder": ("data/other", EVERYTHING),
}
for place in ("first", "second"):
    CHANGES |= {
        f"data.pair.{place}.name": ("letters", EVERYTHING | {"categories"}),
        f"data.pair.{place}.classes": ([*"abcdefghij"], {"categories", "figure", "report"}),
        f"data.pair.{place}.sha256": ([f"{'0' * 64}  train.npz"], EVERYTHING),
    }
# What docs/configuration.md says is made again after a change of a key.
MADE_AGAIN: dict[str, set[str]] = {
    "everything": EVERYTHING,
    "scenes and everything made from them": SCENES,
    "networks and everything made with them": TRAINING,
    "only new networks; tables, figures, the report": END,
    "the networks of that interaction": IMPORT,
    "everything but source images and scenes, in another folder": EVERYTHING - {"shards", "scenes"},
    "test scenes, recordings and all decoding": {"scenes"} | DECODING,
    "recordings and decoding from them": RECORDING,
    "recordings and all decoding": DECODING,
    "decoding from the scenes, the scorecard, the report": {
        "decode_scenes",
        "scorecard",
        "figure",  # of distances
        "report",
    },
    "perturbations": PERTURBATION,
    "figures and the report": {"figure", "report"},
    "categories, figures and the report": {"categories", "figure", "report"},
    "nothing": set(),
    "nothing: refused, as the networks that are there would have to be trained again": REFUSED,
}


@pytest.mark.parametrize("key", CHANGES)
def test_the_page_says_what_is_made_again(key: str) -> None:
    block, _, name = key.partition(".")
    part = (ROOT / "docs/configuration.md").read_text().partition(f"\n## {block}\n")[2]
    row = re.search(rf"^\| `{re.escape(name)}` \|.* \| ([^|]+) \|$", part, re.MULTILINE)
    assert row
    more = {
        "examples",
        "variants",
        "scenes",
        "parameters",
        "categories",
    }  # for the figures; and more decoding needs more scenes
    if key == "run.instances":
        more = TRAINED
    assert CHANGES[key][1] - more == MADE_AGAIN[row[1]] - more


def test_more_instances_train_only_the_new_networks(finished: Study) -> None:
    finished.configure(overlay_of("run.instances", 3))
    try:
        planned = finished.planned()
    finally:
        finished.configure(TINY)
    assert all(
        planned[f"{stage}_network"] == 3 for stage in ("train", "record", "decode", "perturb")
    )


def leaves(config: dict[str, Any], prefix: str = "") -> set[str]:
    """The dotted keys of a configuration."""
    found = set()
    for key, value in config.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key}
    return found


def test_every_key_is_in_the_table() -> None:
    assert leaves(yaml.safe_load((ROOT / "config.yaml").read_text())) == set(CHANGES)


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_reruns_its_stages_and_no_other(finished: Study, key: str) -> None:
    value, expected = CHANGES[key]
    finished.configure(overlay_of(key, value))
    try:
        if expected == REFUSED:
            told = finished.dry_run()
            assert told.returncode != 0
            before = TINY["training"][key.removeprefix("training.")]
            assert f"{key} is {before} there and {value} here" in told.stdout + told.stderr
        else:
            # The run's config.yaml has all keys but those that the report lacks too.
            silent = key.startswith("compute.") or key == "data.files"
            assert set(finished.planned()) == expected | (set() if silent else {"configuration"})
    finally:
        finished.configure(TINY)


def test_an_import_redoes_only_that_interaction(finished: Study) -> None:
    finished.configure(overlay_of("run.checkpoints.additive", CHECKPOINTS))
    try:
        planned = finished.planned()
    finally:
        finished.configure(TINY)
    stages = ("import", "record", "decode", "perturb")
    assert [planned[f"{stage}_network"] for stage in stages] == [2] * 4


def test_the_order_of_keys_reruns_nothing(finished: Study) -> None:
    def reversed_keys(block: Any) -> Any:
        if not isinstance(block, dict):
            return block
        return {key: reversed_keys(block[key]) for key in reversed(block)}

    path = finished.folder / "config.yaml"
    before = path.read_text()
    path.write_text(yaml.safe_dump(reversed_keys(yaml.safe_load(before)), sort_keys=False))
    try:
        assert finished.planned() == {}
    finally:
        path.write_text(before)


@pytest.fixture
def module(finished: Study) -> Iterator[Callable[[str, str], None]]:
    """Change a module of the study during a test."""
    package = finished.folder / "workflow/scripts/recurrence"
    before = {path: path.read_text() for path in package.rglob("*.py")}

    def append(name: str, text: str) -> None:
        path = package / f"{name}.py"
        path.write_text(before[path] + text)

    yield append
    for path, text in before.items():
        path.write_text(text)


def test_comments_and_touched_files_rerun_nothing(
    finished: Study, module: Callable[[str, str], None]
) -> None:
    module("training", "\n# a comment\n")
    module("scenes", "\n\n")
    for path in (finished.folder / "workflow").rglob("*.py"):
        path.touch()
    for rules in ("Snakefile", "workflow/rules/train.smk", "config.yaml"):
        with (finished.folder / rules).open("a") as file:
            file.write("\n# a comment\n")
    for path in sorted(finished.folder.glob("data/sample/**/*.h5")):
        path.touch()
    for kind in ("safetensors", "h5", "csv"):
        for path in sorted(finished.folder.glob(f"results/**/*.{kind}")):
            path.touch()
    assert finished.planned() == {}


MODULES: dict[str, set[str]] = {
    "animation": set(),
    "ablation": RECORDING,
    "answers": RECORDING,
    "archive": set(),
    "by_hand": set(),
    "categories": {"categories", "figure", "report"},
    "checkpoints": set(),
    "claims": {"scorecard", "figure", "report"},
    **{f"comparison/{name}": set() for name in ("figures", "measures", "page", "runs", "settings")},
    "clutter": RECORDING,
    "connection_figures": {"figure", "report"},
    "controls": {"scorecard", "figure", "report"},
    "costs": NETWORK,
    "configuration/annotations": set(),
    "configuration/blocks": set(),
    "configuration/problems": set(),
    "configuration/reference": set(),
    "configuration/rules": set(),
    "crate": set(),
    "datasets": SCENES | {"shards", "variants"},
    "connections": NETWORK,
    "decoding": DECODING,
    "device_rendering": TRAINING,
    "design": {"scorecard", "figure", "report"},
    "devices": NETWORK,
    "diagrams": {"figure", "report"},
    "downloads": set(),
    "distance": {"scorecard", "figure", "report"},
    "estimation": set(),
    "evaluation": RECORDING,
    "examples": {"examples", "figure", "report"},
    "figure_list": {"figure", "report"},
    "figures": {"figure", "report"},
    "fingerprints": set(),
    "further_figures": {"figure", "report"},
    "interactions": NETWORK,
    "job": set(),
    "machine": set(),
    "messages": set(),
    "names": set(),
    "network": NETWORK,
    "origins": set(),
    "pages": {"report"},
    "perturbation": PERTURBATION,
    "pictures": {"figure", "report"},
    "plotting": {"figure", "report"},
    "recording": RECORDING,
    "records": set(),
    "renderers": TRAINING,
    "rendering": SCENES | {"variants"},
    "renderings": END,
    "report/descriptions": {"report"},
    "report/durations": {"report"},
    "report/headline": {"report"},
    "report/page": {"report"},
    "report/tables": {"report"},
    "scene_reading": RECORDING,
    "scene_writing": {"scenes", "variants", "decode_scenes"} | RECORDING,
    "scenes": SCENES | {"variants"},
    "scorecard": {"scorecard", "figure", "report"},
    "seeds": SCENES | {"variants"},
    "statistics": END,
    "shards": SCENES | {"shards", "variants"},
    "source_files": SCENES | {"shards", "variants"},
    "states": set(),
    "storage": set(),
    "sweep": set(),
    "terminal": set(),
    "told": set(),
    "training": TRAINING,
    "variables": {"scenes", "variants", "decode_scenes"} | RECORDING,
    "verdicts": {"scorecard", "figure", "report"},
    "work": set(),
    "wiring": NETWORK | {"decode_scenes"},
}
DOWNSTREAM = Callable[[set[str]], set[str]]


@pytest.fixture(scope="module")
def downstream(tmp_path_factory: pytest.TempPathFactory) -> DOWNSTREAM:
    """A function that adds to rules that run again those that do so after them, by Snakemake's graph of the rules."""
    study = Study(tmp_path_factory.mktemp("graph"), TINY)
    graph = study.snakemake("--forceall", "--rulegraph", "dot").stdout
    rules = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    arrows = [(rules[a], rules[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph)]

    def add(again: set[str]) -> set[str]:
        more = again | {after for before, after in arrows if before in again} - {"all"}
        if "decode_network" in more:
            more.add("record_network")  # recordings are temporary
        return more if more == again else add(more)

    return add


def test_every_module_is_in_the_table() -> None:
    package = ROOT / "workflow/scripts/recurrence"
    modules = (path.relative_to(package).with_suffix("") for path in package.rglob("[!_]*.py"))
    assert MODULES.keys() == {module.as_posix() for module in modules}


@pytest.mark.parametrize("name", MODULES)
def test_a_changed_module_reruns_the_stages_that_use_it(
    changed: Callable[[str, str, str], set[str]], downstream: DOWNSTREAM, name: str
) -> None:
    of_the_run = RULES - {"archive", "compare", "import_network"}
    edited = changed(f"recurrence/{name}.py", "", "\nADDED = 1\n")
    assert downstream(edited & of_the_run) == MODULES[name]


@pytest.mark.parametrize("name", ["names", "report/page", "decoding", "training", "scenes"])
def test_snakemake_does_so(finished: Study, module: Callable[[str, str], None], name: str) -> None:
    module(name, "\nADDED = 1\n")
    assert set(finished.planned()) == MODULES[name]
