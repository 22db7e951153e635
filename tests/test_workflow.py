"""The workflow: a tiny run, and what runs again after which change."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
import pytest
import yaml
from safetensors import safe_open

from recurrence.checkpoints import CURVE
from study import CHECKPOINTS, ROOT, STAGES, TINY, Study, assert_same_tables

FIGURES = ("1", "2A", "2B", "3A", "3B", "4A", "4B", "4C", "4D", "S1", "S2A", "S2B", "S2C", "S3")


def test_a_run_leaves_all_its_files(finished: Study) -> None:
    data, run = finished.folder / "data/sample", finished.folder / "results/tiny"
    for dataset in ("mnist", "fashion"):
        for split, n in (("train", 700), ("validation", 100), ("test", 200)):
            with h5py.File(data / f"shards/{dataset}-{split}.h5") as file:
                assert file["images"].shape == (n, 28, 28) and file["labels"].shape == (n,)
    with h5py.File(data / "scenes/standard/test-01.h5") as file:
        assert file["scenes"].shape == file["clean"].shape == (30, 100, 100)
        assert json.loads(file.attrs["scenes"])["clutter"] == 7
        assert all(file[name].fletcher32 for name in ("scenes", "clean", "labels/category"))
    for interaction in ("multiplicative", "additive", "feedforward"):
        for instance in (1, 2):
            folder = run / interaction / f"instance{instance}"
            with safe_open(folder / "model.safetensors", "np") as file:
                about = json.loads(file.metadata()["about"])
                assert about["interaction"] == interaction
                assert about["training"]["iterations"] == 6
            assert pd.read_csv(folder / "training.csv").iteration.tolist() == [3, 6]
            assert not (folder / "activations.h5").exists()  # record.keep is false
            assert len(list((folder / ".training").glob("*.pt"))) == 1
    columns = {
        "accuracy": "interaction instance image n accuracy",
        "decoding": "interaction instance repeat source layer timestep image variable accuracy",
        "perturbation": "interaction instance repeat rendering layer timestep variable "
        "accuracy_original accuracy_systematic accuracy_control functional_importance "
        "n control_only systematic_only control_only_original systematic_only_original",
        "ablation": "interaction instance n accuracy_intact accuracy_ablated intact_only ablated_only",
        "clutter": "interaction instance timestep energy_outside relative",
        "training": " ".join(["interaction instance", *CURVE]),
        "scorecard": "claim interaction quantity published reproduced low high instances verdict",
        "distance": "interaction instance quantity cells mean_absolute_difference correlation "
        "published_mean_absolute_difference published_correlation sampling_noise within",
    }
    for name, expected in columns.items():
        table = pd.read_csv(run / "tables" / f"{name}.csv")
        assert list(table)[: len(expected.split())] == expected.split(), name
        assert len(table), name
    decoding = pd.read_csv(run / "tables/decoding.csv")
    activations, clean, flows = 3 * 4, 3 * 4, 2 * 4
    assert len(decoding) == 6 * (
        2 * (activations + flows + clean) + 2 * (activations + clean)
    ) * 2 - (6 * 2 * (activations + clean))
    perturbation = pd.read_csv(run / "tables/perturbation.csv")
    assert len(perturbation) == 2 * 2 * 2 * 4 * 2 * 6
    for figure in FIGURES:
        assert (run / f"figures/fig{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert (run / f"figures/fig{figure}.pdf").read_bytes().startswith(b"%PDF")
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64") >= len(FIGURES)
    assert "reproduced" in (run / "scorecard.txt").read_text()


def test_a_second_run_does_nothing(finished: Study) -> None:
    assert finished.planned() == {}


TRAINED = {"train_network", "record_network", "decode_network", "perturb_network"}
END = {"tables", "scorecard", "figure", "report"}
TRAINING = TRAINED | END
IMPORT = TRAINING - {"train_network"} | {"import_network"}
RECORDING = {"record_network", "decode_network"} | END
PERTURBATION = {"perturb_network"} | END
SCENES = TRAINING | {"scenes", "decode_scenes"}
DECODING = RECORDING | {"decode_scenes"}  # recordings are temporary, so they are made again
NETWORK = TRAINING | {"parameters"}
REFUSED = {"nothing, as it is refused"}
CHANGES: dict[str, tuple[Any, set[str]]] = {
    "run.seed": (1, SCENES | {"variants"}),
    "run.instances": (3, TRAINING),
    "run.interactions": (["multiplicative"], END),
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
    "decoding.scene_repeats": (2, {"scenes", "decode_scenes", "scorecard", "report"}),
    "decoding.fit": (31, DECODING),
    "decoding.sources": (["activation"], RECORDING),
    "decoding.images": (["cluttered"], RECORDING),
    "decoding.variables": (["scale"], DECODING),
    "decoding.max_iter": (900, DECODING),
    "perturbation.repeats": (2, PERTURBATION),
    "perturbation.scenes": (4, PERTURBATION),
    "perturbation.precision": ("float32", PERTURBATION),
    "perturbation.renderings": (["opposite"], PERTURBATION),
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
    "run.name": ("other", EVERYTHING - {"shards", "scenes"} | {"parameters"}),  # runs share these
    "data.source": ("full", EVERYTHING),
    "data.folder": ("data/other", EVERYTHING),
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
        "report",
    },
    "perturbations": PERTURBATION,
    "figures and the report": {"figure", "report"},
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
        "variants",
        "scenes",
        "parameters",
    }  # for the figures; and more decoding needs more scenes
    if key == "run.instances":
        more = TRAINED
    assert CHANGES[key][1] - more == MADE_AGAIN[row[1]] - more


@pytest.mark.parametrize("switch", ["ATEN_CPU_CAPABILITY=default", "ONEDNN_MAX_CPU_ISA=AVX2"])
def test_a_processor_without_bfloat16_takes_float32_and_reruns_nothing(
    tmp_path: Path, switch: str
) -> None:
    study, (name, value) = Study(tmp_path, TINY), switch.split("=")
    network = "results/tiny/additive/instance1"
    files = [f"{network}/{file}.csv" for file in ("accuracy", "perturbation")]
    result = study.snakemake("--notemp", *files, env=os.environ | {name: value})
    assert result.returncode == 0, result.stdout + result.stderr
    with safe_open(study.folder / network / "model.safetensors", "np") as file:
        about = json.loads(file.metadata()["about"])
    assert (about["training"]["precision"], about["precision"]) == ("auto", "float32")
    with h5py.File(study.folder / network / "activations.h5") as file:
        assert file.attrs["precision"] == "float32"
    with h5py.File(study.folder / network / "perturbation_example.h5") as file:
        assert file.attrs["table_precision"] == "float32"
    for stage in ("train", "record", "perturb"):
        log = (study.folder / f"results/tiny/logs/{stage}/additive-1.log").read_text()
        assert "computing in float32 on cpu" in log
    assert study.planned("--notemp", *files) == {}  # where auto may be bfloat16


OF_ONE_NETWORK = ("1", "3B", "4A")  # figures
RC = "image.origin: lower\nfont.size: 20\naxes.facecolor: red\nsavefig.bbox: tight\n"
SETTINGS = {
    "PYTHONOPTIMIZE": "2",
    "LC_ALL": "C",
    "OMP_NUM_THREADS": "64",
    "MPLBACKEND": "svg",
    "MATPLOTLIBRC": "matplotlibrc",
}


def test_other_settings_of_the_machine_give_the_same(finished: Study, tmp_path: Path) -> None:
    less = {"run": {**TINY["run"], "interactions": ["multiplicative"], "instances": 1}}
    study = Study(tmp_path / "My Drive \u00fc", {**TINY, **less})
    (study.folder / "matplotlibrc").write_text(RC)
    figures = [f"results/tiny/figures/fig{figure}.png" for figure in OF_ONE_NETWORK]
    result = study.snakemake(
        *("--", "results/tiny/scorecard.txt", *figures),
        env=os.environ | SETTINGS,
        umask=0o077,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for name in figures:
        assert (study.folder / name).read_bytes() == (finished.folder / name).read_bytes(), name
    one, two = (s.folder / "results/tiny" for s in (study, finished))
    one, two = (run / "multiplicative/instance1" for run in (one, two))
    name = "model.safetensors"
    assert (one / name).read_bytes() == (two / name).read_bytes()
    assert_same_tables(one, two)


def test_without_docstrings_and_asserts_a_wrong_configuration_is_reported(tmp_path: Path) -> None:
    study = Study(tmp_path, overlay_of("network.timestep", 4))
    result = study.snakemake("--dry-run", env=os.environ | {"PYTHONOPTIMIZE": "2"})
    assert result.returncode != 0
    assert (
        "network.timestep: there is no such key: did you mean network.timesteps?"
        in result.stdout + result.stderr
    )


@pytest.mark.long
def test_smoke_on_one_core_and_two_gives_the_same_tables(tmp_path: Path) -> None:
    preset = yaml.safe_load((ROOT / "workflow/presets/smoke.yaml").read_text())
    one, two = (Study(tmp_path / cores, preset) for cores in "12")
    for study, cores in ((one, "1"), (two, "2")):
        result = study.snakemake("--cores", cores)
        assert result.returncode == 0, result.stdout + result.stderr
    models = [
        sorted(study.folder.glob("results/smoke/*/*/model.safetensors")) for study in (one, two)
    ]
    assert len(models[0]) == len(models[1]) == 10
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(*models, strict=True))
    assert_same_tables(*(study.folder / "results/smoke" for study in (one, two)))


def test_more_instances_train_only_the_new_networks(finished: Study) -> None:
    finished.configure(overlay_of("run.instances", 3))
    try:
        planned = finished.planned()
    finally:
        finished.configure(TINY)
    assert all(
        planned[f"{stage}_network"] == 3 for stage in ("train", "record", "decode", "perturb")
    )


DRAWN = TRAINED | {"parameters", "shards", "scenes", "variants", "tables", "figure"}
TARGETS = {
    "data": {"shards", "scenes"},
    "train": {"shards", "train_network"},
    "record": {"shards", "scenes", "train_network", "record_network"},
    "decode": {"shards", "scenes", "decode_scenes"} | TRAINED - {"perturb_network"},
    "perturb": {"shards", "train_network", "perturb_network"},
    "figures": DRAWN,
    "report": DRAWN | {"decode_scenes", "scorecard", "report"},
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_makes_what_it_names(tmp_path: Path, target: str) -> None:
    planned = set(Study(tmp_path, TINY).planned("--", target))
    assert planned | {target} == TARGETS[target] | {target}


def test_status_counts_what_is_made_and_left(finished: Study) -> None:
    path = finished.folder / "results/tiny/report.html"
    kept = path.read_bytes()
    path.unlink()
    words = [f"BIN={Path(sys.executable).parent}", "INSTALLED=", "CONFIGS=config.yaml tiny.yaml"]
    try:
        result = subprocess.run(
            ["make", "-f", ROOT / "Makefile", "status", *words],
            cwd=finished.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    finally:
        path.write_bytes(kept)
    assert re.search(r"^train_network +12 +0$", result, re.MULTILINE)
    assert re.search(r"^report +0 +1$", result, re.MULTILINE)
    assert set(re.findall(r"^(\w+) +\d", result, re.MULTILINE)) == set(
        finished.planned("--forceall")
    )


def test_the_estimate_counts_what_is_left(finished: Study) -> None:
    (finished.folder / "other.yaml").write_text("run: {name: other, instances: 4}\n")
    for overlay, left in (("tiny.yaml", "0 of 6"), ("other.yaml", "8 of 8")):
        result = subprocess.run(
            [sys.executable, "-m", "recurrence.estimation", "--cores", "2", "config.yaml", overlay],
            cwd=finished.folder,
            env=os.environ | {"PYTHONPATH": str(finished.folder / "workflow/scripts")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert re.match(
            r"Run (tiny|other): about \d+(\.\d+)? (s|min|h) on this machine \(2 cores, (cpu|cuda)\): ",
            result,
        )
        assert f"{left} networks to do" in result


@pytest.mark.parametrize(
    ("overlay", "cores", "said"),
    [
        ("run:\n\tname: a\n", "2", ""),
        ("network: {timestep: 4}\n", "2", ""),
        ("run: {}\n", "half", "No estimate of the time: "),
    ],
)
def test_the_estimate_stops_no_run(tmp_path: Path, overlay: str, cores: str, said: str) -> None:
    (tmp_path / "overlay.yaml").write_text(overlay)
    files = (ROOT / "config.yaml", tmp_path / "overlay.yaml")
    result = subprocess.run(
        [sys.executable, "-m", "recurrence.estimation", "--cores", cores, *files],
        cwd=ROOT / "workflow/scripts",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONOPTIMIZE": "2"},
    )
    assert result.stdout.startswith(said) and bool(result.stdout) == bool(said)
    assert "Traceback" not in result.stderr


def overlay_of(key: str, value: Any) -> dict[str, Any]:
    """The tiny configuration with one value changed."""
    changed = json.loads(json.dumps(TINY))
    *blocks, last = key.split(".")
    inner = changed
    for block in blocks:
        inner = inner.setdefault(block, {})
    inner[last] = value
    if key == "decoding.repeats":
        changed["record"]["scenes"] = 80
    return changed


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
            told = finished.snakemake("--dry-run")
            assert told.returncode != 0
            before = TINY["training"][key.removeprefix("training.")]
            assert f"{key} is {before} there and {value} here" in told.stdout + told.stderr
        else:
            assert set(finished.planned()) == expected
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


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """The rule of each planned job, and Snakemake's description of the job."""
    study = Study(tmp_path_factory.mktemp("described"), TINY)
    for rules in (study.folder / "workflow/rules").iterdir():
        rules.write_text(re.sub(r" +message:\n.+\n", "", rules.read_text()))
    result = study.snakemake("--dry-run").stdout
    return re.findall(r"^rule (\w+):\n((?: .+\n)+)", result, re.MULTILINE)


def test_what_needs_no_training_comes_first(described: list[tuple[str, str]]) -> None:
    early = {rule for rule, facts in described if "    priority: 1\n" in facts}
    assert early == {"scenes", "parameters", "variants", "decode_scenes", "figure"}


def test_a_network_declares_the_memory_that_it_stays_below(
    finished: Study, described: list[tuple[str, str]]
) -> None:
    jobs = [facts for rule, facts in described if re.search("_(network|scenes)$", rule)]
    assert len(jobs) == 6 * 4 + 1  # and decoding from the scenes
    assert all("mem_mb=2500," in facts for facts in jobs)
    files = [
        f for stage in STAGES for f in finished.folder.glob(f"results/tiny/benchmarks/{stage}/*")
    ]
    assert len(files) == len(jobs)
    assert all(float(pd.read_csv(file, sep="\t").max_rss[0]) < 2500 for file in files)


@pytest.fixture
def module(finished: Study) -> Any:
    """Change a module of the study during a test."""
    package = finished.folder / "workflow/scripts/recurrence"
    before = {path: path.read_text() for path in package.rglob("*.py")}

    def append(name: str, text: str) -> None:
        path = package / f"{name}.py"
        path.write_text(before[path] + text)

    yield append
    for path, text in before.items():
        path.write_text(text)


def test_comments_and_touched_files_rerun_nothing(finished: Study, module: Any) -> None:
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


def test_every_module_is_in_the_table() -> None:
    mark = test_a_changed_module_reruns_the_stages_that_use_it.pytestmark[0]  # type: ignore[attr-defined]
    package = ROOT / "workflow/scripts/recurrence"
    modules = (path.relative_to(package).with_suffix("") for path in package.rglob("[!_]*.py"))
    assert {name for name, _ in mark.args[1]} == {module.as_posix() for module in modules}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("checkpoints", set()),
        ("claims", {"scorecard", "report"}),
        ("configuration/blocks", set()),
        ("configuration/problems", set()),
        ("configuration/reference", set()),
        ("configuration/rules", set()),
        ("datasets", SCENES | {"shards", "variants"}),
        ("connections", NETWORK),
        ("decoding", DECODING),
        ("device_rendering", TRAINING),
        ("devices", NETWORK),
        ("diagrams", {"figure", "report"}),
        ("distance", {"scorecard", "figure", "report"}),
        ("estimation", set()),
        ("evaluation", RECORDING),
        ("examples", RECORDING),
        ("figure_list", {"figure", "report"}),
        ("figures", {"figure", "report"}),
        ("fingerprints", set()),
        ("job", set()),
        ("names", set()),
        ("network", NETWORK),
        ("origins", set()),
        ("perturbation", PERTURBATION),
        ("pictures", {"figure", "report"}),
        ("recording", RECORDING),
        ("records", set()),
        ("renderers", TRAINING),
        ("rendering", SCENES | {"variants"}),
        ("report", {"report"}),
        ("scene_reading", RECORDING),
        ("scene_writing", {"scenes", "variants", "decode_scenes"} | RECORDING),
        ("scenes", SCENES | {"variants"}),
        ("scorecard", {"scorecard", "report"}),
        ("seeds", SCENES | {"variants"}),
        ("statistics", END),
        ("states", set()),
        ("storage", set()),
        ("terminal", set()),
        ("training", TRAINING),
        ("verdicts", {"scorecard", "report"}),
    ],
)
def test_a_changed_module_reruns_the_stages_that_use_it(
    finished: Study, module: Any, name: str, expected: set[str]
) -> None:
    module(name, "\nADDED = 1\n")
    assert set(finished.planned()) == expected


def test_a_bad_configuration_stops_before_any_job(tmp_path: Path) -> None:
    study = Study(tmp_path, overlay_of("network.timestep", 4))
    result = study.snakemake()
    assert result.returncode != 0
    assert (
        "network.timestep: there is no such key: did you mean network.timesteps?" in result.stderr
    )
    assert not list(tmp_path.rglob("*.h5"))


def test_a_key_given_twice_is_refused_in_every_file(tmp_path: Path) -> None:
    study = Study(tmp_path, TINY)
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("figures: {published: true, examples: 1, dpi: 40}\n")
    (tmp_path / "other.yaml").write_text(
        "training:\n  batch: 4\nrecord: {scenes: 40}\n\ntraining: {}\n"
    )
    result = study.snakemake("other.yaml", "--dry-run")  # two files after --configfile
    assert result.returncode != 0
    line = (tmp_path / "config.yaml").read_text().splitlines().index("figures:") + 1
    last = len((tmp_path / "config.yaml").read_text().splitlines())
    assert f"figures: is given twice in config.yaml, in lines {line} and {last}: " in result.stdout
    assert re.search(
        r"training: is given twice in \S+other.yaml, in lines 1 and 5: ", result.stdout
    )


def test_values_on_the_command_line_are_as_in_a_file(tmp_path: Path) -> None:
    study = Study(tmp_path, TINY)
    words = ("training={iterations: 7, clip_norm: null}", "run={name: 2024, instances: 1}")
    planned = study.planned("--config", *words)
    assert planned["train_network"] == 3
    result = study.snakemake("--dry-run", "--config", "training={learning_rate: 1e-3}")
    assert (
        "training.learning_rate: got '1e-3': should be a valid number (to YAML this is text: write "
        "1.0e-3" in result.stdout
    )


def test_a_call_from_another_folder_says_where_to_call(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    study = Study(project, TINY)
    shutil.copy(project / "tiny.yaml", elsewhere)
    snakemake = study.command("--dry-run", "--snakefile", str(project / "Snakefile"))
    bare = [word for word in snakemake if word not in ("--configfile", "tiny.yaml")]
    for command in (snakemake, bare):
        how: dict[str, Any] = {"cwd": elsewhere, "capture_output": True, "text": True}
        result = subprocess.run(command, check=False, **how)
        assert result.returncode != 0
        assert f"there is no config.yaml in this folder ({elsewhere})" in result.stdout
        assert str(project) in result.stdout and "is missing" not in result.stdout
        advised = subprocess.run([*command, "--directory", str(project)], check=False, **how)
        assert advised.returncode == 0, advised.stdout
