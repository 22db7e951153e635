"""A tiny run of the whole workflow: its files, its targets, the order and the memory of its jobs."""

import json
import re
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml
from safetensors import safe_open

from recurrence.checkpoints import CURVE
from study import ROOT, STAGES, TINY, TRAINED, Study, assert_same_tables

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
                about = json.loads(file.metadata()["provenance"])
                assert about["interaction"] == interaction
                assert about["training"]["iterations"] == 6
            assert pd.read_csv(folder / "training.csv").iteration.tolist() == [3, 6]
            assert not (folder / "activations.h5").exists()  # record.keep is false
            assert len(list((folder / ".training").glob("*.pt"))) == 1
    columns = {
        "accuracy": "interaction instance image n accuracy",
        "decoding": "interaction instance repeat source layer timestep image variable accuracy "
        "unconverged connection",
        "perturbation": "interaction instance repeat rendering layer timestep variable "
        "accuracy_original accuracy_systematic accuracy_control functional_importance "
        "n control_only systematic_only control_only_original systematic_only_original connection",
        "ablation": "interaction instance removed n accuracy_intact accuracy_ablated intact_only ablated_only",
        "ablation_over_time": "interaction instance removed n accuracy_intact accuracy_ablated intact_only "
        "ablated_only timestep",
        "clutter": "interaction instance quadrant timestep energy_outside relative standard_error n",
        "answers": "interaction instance seen answer timestep n accuracy confidence",
        "renderings": "interaction layer timestep variable opposite compounded lost low high share_lost",
        "training": " ".join(["interaction instance", *CURVE]),
        "scorecard": "claim interaction quantity published reproduced low high instances verdict",
        "distance": "interaction instance quantity cells mean_absolute_difference correlation "
        "published_mean_absolute_difference published_correlation sampling_noise within",
    }
    for name, expected in columns.items():
        table = pd.read_csv(run / "tables" / f"{name}.csv")
        assert list(table)[: len(expected.split())] == expected.split(), name
        # A run of another design is not compared with the published networks.
        assert (len(table) > 0) == (name != "distance"), name
    decoding = pd.read_csv(run / "tables/decoding.csv")
    recurrent = (
        3 * 4 + 3 * 4 + 2 * 4
    )  # activations, those of clean scenes, flows: timesteps x layers
    whole, variables, networks, connections = decoding.connection.eq("all"), 6, 2, 9
    assert whole.sum() == variables * networks * (2 * recurrent + (4 + 4))  # 2 interactions, 1
    assert (~whole).sum() == variables * networks * 2 * 2 * connections
    perturbation = pd.read_csv(run / "tables/perturbation.csv")
    assert len(perturbation) == 2 * networks * 2 * (4 + connections) * 2 * 6
    for name, timesteps in (("ablation", 1), ("ablation_over_time", 3)):
        table = pd.read_csv(run / f"tables/{name}.csv")
        assert len(table) == 2 * networks * (connections + 3) * timesteps, name
    for figure in FIGURES:
        assert (run / f"figures/fig{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert (run / f"figures/fig{figure}.pdf").read_bytes().startswith(b"%PDF")
    page = (run / "report.html").read_text()
    assert page.count("data:image/webp;base64") >= len(FIGURES)
    assert "train_network" in (run / "durations.html").read_text()
    assert "not of the paper's design" in (run / "scorecard.txt").read_text()


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


DRAWN = TRAINED | {
    "parameters",
    "categories",
    "shards",
    "scenes",
    "variants",
    "examples",
    "tables",
    "figure",
}
DRAWN |= {"decode_scenes", "scorecard"}  # for the figure of distances
TARGETS = {
    "data": {"configuration", "shards", "scenes"},
    "train": {"configuration", "shards", "train_network"},
    "record": {"shards", "scenes", "train_network", "record_network"},
    "decode": {"shards", "scenes", "decode_scenes"} | TRAINED - {"perturb_network"},
    "perturb": {"shards", "train_network", "perturb_network"},
    "figures": DRAWN,
    "report": DRAWN | {"report"},
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_makes_what_it_names(tmp_path: Path, target: str) -> None:
    planned = set(Study(tmp_path, TINY).planned("--", target))
    assert planned | {target} == TARGETS[target] | {target}


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
    assert early == {
        *("configuration", "categories", "parameters"),
        *("scenes", "variants", "decode_scenes", "figure"),
    }


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
