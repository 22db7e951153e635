"""The whole workflow on another pair of datasets, which the tests make."""

import json
import os
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors import safe_open

import recurrence
from pair import CLASSES, PAIR, PER_CLASS, arrays, with_pair, write_pair
from recurrence.shards import load_shard
from recurrence.verdicts import CANNOT_TELL, NOT_REPRODUCED, REPRODUCED, TOO_FEW
from study import TINY, WHOLE_FLOWS, Study

OVERLAY = with_pair({**TINY, **WHOLE_FLOWS}, "shapes")
WITH_CLASSES = ("2B", "3B", "4A", "4B", "S2B", "S3")  # figures that name them; 1 and 3A do not
FIGURES = (f"figures/fig{name}.png" for name in (*WITH_CLASSES, "1", "3A"))
TARGETS = ("--", *(f"results/shapes/{file}" for file in ("config.yaml", "scorecard.txt", *FIGURES)))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A run on bars and rings, without the report and most of the figures that name no classes."""
    study = Study(tmp_path_factory.mktemp("shapes"), OVERLAY)
    write_pair(study.folder / "own")
    result = study.snakemake(*TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    return study


def test_the_shards_are_of_the_pair(shapes: Study) -> None:
    for name in CLASSES:
        test = arrays(name, "test")
        images, labels = load_shard(shapes.folder / f"data/shards/{name}-test.h5")
        assert np.array_equal(images, test["images"]) and np.array_equal(labels, test["labels"])
        train = arrays(name, "train")
        images, _ = load_shard(shapes.folder / f"data/shards/{name}-train.h5")
        assert np.array_equal(images, train["images"][30:])


def test_files_say_which_pair_they_were_made_from(shapes: Study) -> None:
    expected = {place: {"name": each["name"], "sha256": []} for place, each in PAIR.items()}
    folder = shapes.folder / "results/shapes/multiplicative/instance1"
    with safe_open(folder / "model.safetensors", "np") as file:
        assert json.loads(file.metadata()["provenance"])["pair"] == expected
    scenes = shapes.folder / "data/scenes/shapes/test-00.h5"
    for path in (folder / "perturbation_example.h5", scenes):
        with h5py.File(path) as file:
            assert json.loads(file.attrs["pair"]) == expected
    with h5py.File(folder.parents[1] / "examples.h5") as file:
        assert json.loads(file.attrs["networks"])["multiplicative"]["pair"] == expected


def test_the_categories_have_the_names_of_its_classes(shapes: Study) -> None:
    names = [*CLASSES["bars"], *CLASSES["rings"]]
    run = recurrence.load(shapes.folder / "results/shapes")
    assert run.categories == names
    table = pd.read_csv(run.folder / "tables/categories.csv")
    assert table.category.tolist() == list(range(20))
    assert table.dataset.tolist() == ["bars"] * 10 + ["rings"] * 10
    scenes = run.scenes(40)
    assert set(scenes.labels["category"].tolist()) <= set(range(20))
    assert np.array_equal(scenes.labels["domain"], scenes.labels["category"] // 10)
    sources = run.sources()
    assert len(sources.images) == 20 * PER_CLASS["test"] and sources.first == 10 * PER_CLASS["test"]


def test_nothing_is_compared_with_the_paper(shapes: Study) -> None:
    run = recurrence.load(shapes.folder / "results/shapes")
    scorecard = run.table("scorecard")
    assert len(scorecard) and scorecard["published"].isna().all()
    assert not scorecard["verdict"].isin([REPRODUCED, NOT_REPRODUCED, CANNOT_TELL, TOO_FEW]).any()
    assert run.table("distance").empty
    assert "data.pair.first.name" in (run.folder / "scorecard.txt").read_text()


def test_other_names_of_classes_draw_figures_again_and_train_nothing(shapes: Study) -> None:
    pair = {**PAIR, "first": {**PAIR["first"], "classes": [*"abcdefghij"]}}
    shapes.configure({**OVERLAY, "data": {**OVERLAY["data"], "pair": pair}})
    try:
        planned = shapes.planned(*TARGETS)
    finally:
        shapes.configure(OVERLAY)
    assert planned == {"categories": 1, "configuration": 1, "figure": len(WITH_CLASSES)}
    assert not shapes.planned(*TARGETS)


def test_a_changed_file_without_checksum_makes_all_of_it_again(shapes: Study) -> None:
    path = shapes.folder / "own/rings/test.npz"
    content, before = path.read_bytes(), path.stat()
    np.savez(path, **arrays("rings", "train"))
    try:
        planned = shapes.planned(*TARGETS)
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned["shards"] == 1 and planned["train_network"] == 1 and planned["scenes"] == 2
    assert not shapes.planned(*TARGETS)


@pytest.mark.parametrize("change", ["another dataset", "the other order"])
def test_another_pair_with_the_same_scenes_is_refused(shapes: Study, change: str) -> None:
    pair = {"first": PAIR["second"], "second": PAIR["first"]}
    if change == "another dataset":
        pair = {**PAIR, "second": {**PAIR["second"], "name": "circles"}}
    data = {**OVERLAY["data"], "pair": pair}
    other = {**OVERLAY, "data": data, "run": {**OVERLAY["run"], "name": "other"}}
    (shapes.folder / "other.yaml").write_text(yaml.safe_dump(other))
    result = shapes.snakemake("other.yaml", "--dry-run")
    assert result.returncode != 0
    assert re.search(r"pair\.second\.name is rings there[^-]*:\n.*test-00\.h5", result.stdout)


def test_missing_files_are_named_before_anything_is_made(tmp_path: Path) -> None:
    study = Study(tmp_path, OVERLAY)
    write_pair(tmp_path / "own")
    (tmp_path / "own/rings/train.npz").unlink()
    result = study.snakemake("--", "train")
    assert result.returncode != 0
    assert "the images of rings are missing" in result.stderr and "train.npz" in result.stderr
    assert not list(tmp_path.glob("data/shards/rings*"))
