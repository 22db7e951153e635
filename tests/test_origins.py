"""Files that Snakemake knows nothing about: another clone, a shared folder of data, a lost folder .snakemake."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest

from blocks import SMALL
from recurrence.network import RecurrentNetwork, save_network
from recurrence.origins import OriginError, origin, require, require_images
from recurrence.storage import create_hdf5, provenance
from study import TINY, TRAINED, WHOLE_FLOWS, Study

ONE: dict[str, Any] = {
    **TINY,
    **WHOLE_FLOWS,
    "run": {"name": "tiny", "interactions": ["multiplicative"], "instances": 1},
    "record": {"scenes": 40, "keep": True},
}
NETWORK = Path("results/tiny/multiplicative/instance1")
FILES = ("variants.h5", "scorecard.txt", "figures/fig4A.png", "config.yaml")
TARGETS = ("decode", "perturb", *(f"results/tiny/{file}" for file in FILES))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = Study(tmp_path_factory.mktemp("made"), ONE)
    result = study.snakemake("--", *TARGETS)
    assert result.returncode == 0, result.stdout + result.stderr
    return study


@pytest.fixture
def clone(made: Study, tmp_path: Path) -> Study:
    """The same project elsewhere, with all files, but without what Snakemake remembers."""
    study = Study(tmp_path / "clone", ONE)
    for folder in ("data/sample", "results"):
        shutil.copytree(made.folder / folder, study.folder / folder)
    return study


def with_value(key: str, value: Any, base: dict[str, Any] = ONE) -> dict[str, Any]:
    changed = json.loads(json.dumps(base))
    *blocks, last = key.split(".")
    inner = changed
    for block in blocks:
        inner = inner.setdefault(block, {})
    inner[last] = value
    return changed


def refused(study: Study, *words: str) -> str:
    """What is said: in a dry run, or of ``words``."""
    result = study.snakemake(*words) if words else study.dry_run()
    assert result.returncode != 0, result.stdout
    return result.stdout + result.stderr


def test_files_from_elsewhere_that_fit_are_used(clone: Study) -> None:
    assert clone.planned("--", *TARGETS) == {}


@pytest.mark.parametrize(
    ("key", "value", "file", "there"),
    [
        ("data.source", "full", "data/sample/shards", "data.source is sample there and full here"),
        ("data.validation", 150, "data/sample/shards", "data.validation is 100 there and 150 here"),
        (
            "scenes.clutter",
            3,
            "scenes/standard/{test-00.h5,",
            "scenes.clutter is 7 there and 3 here",
        ),
        ("scenes.shard", 20, "scenes/standard/{test-00.h5,", "shard is 30 there and 20 here"),
        ("run.seed", 5, "scenes/standard/{test-00.h5,", "seed is 2111 there and 5 here"),
        ("network.kernel", 3, "results/tiny/", "network.kernel is 5 there and 3 here"),
        ("training.batch", 5, "results/tiny/", "training.batch is 4 there and 5 here"),
        ("record.precision", "float32", "results/tiny/", "record.precision is"),
        ("decoding.fit", 31, "results/tiny/", "decoding.fit is 30 there and 31 here"),
        ("perturbation.scenes", 4, "results/tiny/", "perturbation.scenes is 3 there and 4 here"),
        ("figures.dpi", 50, "results/tiny/", "figures.dpi is 40 there and 50 here"),
        ("run.instances", 2, "results/tiny/tables/", "instances is 1 there and 2 here"),
    ],
)
def test_files_from_elsewhere_that_do_not_fit_are_refused_by_name(
    clone: Study, key: str, value: Any, file: str, there: str
) -> None:
    clone.configure(with_value(key, value))
    result = refused(clone)
    assert file in result and there in result
    assert (
        "delete" in result and "give this run another run.name, scenes.set or data.folder" in result
    )
    assert result.count(there) == 1


def named(said: str) -> set[str]:
    """The files and folders that a refusal says to delete."""
    return set(re.findall(r"^ {4}([^ ].*)$", said, re.MULTILINE))


def test_what_fits_is_not_to_be_deleted(clone: Study) -> None:
    clone.configure(with_value("figures.dpi", 50))
    assert named(refused(clone)) == {"results/tiny/{config.yaml,figures}"}
    other = clone.folder / "results/tiny/figures/mine.png"
    other.touch()  # no file of the workflow
    figures = "results/tiny/figures/{fig4A.png,fig4A.pdf}"
    assert named(refused(clone)) == {"results/tiny/config.yaml", figures}
    other.unlink()
    shutil.rmtree(clone.folder / "results/tiny/figures")
    (clone.folder / "results/tiny/config.yaml").unlink()
    assert set(clone.planned("--", *TARGETS)) == {"figure", "configuration"}


def test_files_of_other_code_are_refused_if_snakemake_does_not_know_them(
    made: Study, clone: Study
) -> None:
    def edited(study: Study) -> tuple[Path, str]:
        path = study.folder / "workflow/scripts/recurrence/perturbation.py"
        text = path.read_text()
        path.write_text(f"{text}\nADDED = 1\n")
        return path, text

    path, text = edited(made)
    try:
        assert {"perturb_network", "tables"} <= set(made.planned("--", *TARGETS))
    finally:
        path.write_text(text)
    edited(clone)
    result = refused(clone)
    assert "made by other code of the rule perturb_network (commit unknown)" in result
    files = NETWORK / "{perturbation.csv,perturbation_example.h5}"
    assert named(result) == {str(files)}
    for name in ("perturbation.csv", "perturbation_example.h5"):
        (clone.folder / NETWORK / name).unlink()
    assert "perturb_network" in clone.planned("--", *TARGETS)


def test_a_shared_folder_of_data_is_compared_by_any_path(made: Study, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shutil.copytree(made.folder / "data/sample", shared)
    study = Study(tmp_path / "project", with_value("data.folder", str(shared)))
    shutil.copytree(shared, study.folder / "data/sample")  # its own, of the same names
    assert not {"shards", "scenes"} & set(study.planned("--", "perturb"))
    (shared / "shards/mnist-train.h5").unlink()
    result = study.snakemake("--", str(shared / "shards/mnist-train.h5"))  # records of both kinds
    assert result.returncode == 0, result.stdout + result.stderr
    study.configure(with_value("data.folder", str(shared), with_value("data.validation", 150)))
    result_said = refused(study)
    assert f"{shared}/scenes/standard/" in result_said and "data/sample" not in result_said
    assert str(shared / "shards/{fashion-train.h5") in result_said


def test_a_run_that_was_copied_to_another_name_is_compared(made: Study) -> None:
    """Snakemake knows the files of the first only."""
    copy = made.folder / "results/copy"
    shutil.copytree(made.folder / "results/tiny", copy)
    made.configure(with_value("run.name", "copy", with_value("training.batch", 5)))
    try:
        result = refused(made)
        assert "results/copy/multiplicative/instance1/{" in result and "results/tiny" not in result
    finally:
        made.configure(ONE)
        shutil.rmtree(copy)


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "null",
        "[1, 2]",
        "{half",
        '{"output": ["Snakefile"]}',
        '{"rule": "scenes", "output": ["Snakefile"]}',
    ],
)
def test_another_file_beside_the_logs_is_no_record(clone: Study, text: str) -> None:
    for folder in ("results/tiny", "data/sample"):
        (clone.folder / folder / "logs/mine.json").write_text(text)
    (clone.folder / "data/sample/logs/shards-mnist.json").write_text(text)
    assert clone.planned("--", *TARGETS) == {}


@pytest.mark.parametrize(
    ("key", "value", "targets", "file", "there"),
    [
        ("data.validation", 150, ["train"], "shards/mnist-train.h5", "data.validation is 100"),
        ("data.validation", 150, ["perturb"], "shards/mnist-test.h5", "data.validation is 100"),
        ("scenes.clutter", 3, ["results/tiny/tables/scene_decoding.csv"], "test-00.h5", "scenes.clutter is 7"),
        ("training.batch", 5, ["record"], "model.safetensors", "training.batch is 4"),
        ("run.seed", 5, ["decode"], "", "seed is 2111 there and 5 here"),
        ("record.scenes", 41, ["decode"], "activations.h5", "record.scenes is 40 there and 41 here"),
    ],
)  # fmt: skip
def test_who_reads_a_file_compares_what_it_was_made_from(
    clone: Study, key: str, value: Any, targets: list[str], file: str, there: str
) -> None:
    """Without the records beside the logs too: the files themselves tell."""
    for record in clone.folder.rglob("*.json"):
        if "logs" in record.parts:
            record.unlink()
    for name in ("perturbation.csv", "accuracy.csv", "decoding.csv"):
        (clone.folder / NETWORK / name).unlink()
    (clone.folder / "results/tiny/tables/scene_decoding.csv").unlink()
    if targets == ["train"]:
        (clone.folder / NETWORK / "model.safetensors").unlink()
    clone.configure(with_value(key, value))
    result = refused(clone, "--", *targets)
    assert file in result and there in result and "made again" in result


@pytest.mark.parametrize("name", ["decoding.csv", "accuracy.csv"])
def test_a_table_from_elsewhere_is_refused_by_name(clone: Study, name: str) -> None:
    table = clone.folder / NETWORK / name
    kept = table.read_bytes()
    table.write_bytes(kept[:-2] + b"7\n")
    result = refused(clone)
    assert "not what the job wrote" in result and "make them anew" in result
    assert named(result) == {str(NETWORK / name)}
    table.unlink()
    stage = {"decoding.csv": "decode", "accuracy.csv": "record"}[name]
    assert f"{stage}_network" in clone.planned("--", stage)
    table.write_bytes(kept)
    assert not TRAINED & set(clone.planned())


def test_two_runs_do_not_overwrite_each_others_scenes(made: Study, tmp_path: Path) -> None:
    shutil.copytree(made.folder, tmp_path / "copy", symlinks=True)
    study = Study.there(tmp_path / "copy")
    other = with_value("run.name", "other")
    study.configure(other)
    assert "scenes" not in study.planned()  # equal scenes are shared
    study.configure(with_value("scenes.clutter", 3, other))
    result = refused(study)
    assert "scenes/standard/{test-00.h5,test-01.h5}" in result and "made for the run tiny" in result
    assert "scenes.clutter is 7 there and 3 here" in result and "scenes.set" in result
    study.configure(with_value("scenes.set", "few", with_value("scenes.clutter", 3, other)))
    assert study.planned()["scenes"] == 2
    study.configure(with_value("scenes.clutter", 3))  # the run that made them may change them
    assert study.planned()["scenes"] == 2


@pytest.mark.parametrize(("key", "value"), [("validate_every", 2), ("validation_scenes", 11)])
def test_another_validation_is_refused_as_it_needs_another_training(
    made: Study, key: str, value: int
) -> None:
    made.configure(with_value(f"training.{key}", value))
    try:
        result = refused(made)
    finally:
        made.configure(ONE)
    assert "model.safetensors" in result and f"training.{key} is " in result
    assert "Set it back" in result and "train again" in result


def test_every_kind_of_file_tells_what_differs(tmp_path: Path) -> None:
    block = {"source": "sample", "validation": 100}
    with create_hdf5(tmp_path / "f.h5", provenance(3, data=block)):
        pass
    network = RecurrentNetwork("additive", SMALL)
    save_network(tmp_path / "m.safetensors", network, SMALL, **provenance(3, data=block))
    for name in ("f.h5", "m.safetensors"):
        path = str(tmp_path / name)
        require(path, data=block, seed=3)
        require([path, path], data={"source": "sample"})
        with pytest.raises(
            OriginError,
            match=rf"{name} was made .*: data\.source is sample there and full here\. Delete",
        ):
            require(path, data={**block, "source": "full"})
        with pytest.raises(OriginError, match="seed is 3 there and 4 here"):
            require(path, data=block, seed=4)
        with pytest.raises(OriginError, match=r"scenes\.clutter is missing there and 7 here"):
            require(path, scenes={"clutter": 7})
        assert origin(path)["data"] == block


def test_shards_are_compared_by_their_dataset_and_its_checksums(tmp_path: Path) -> None:
    data, paths = {"source": "full", "validation": 100}, []
    sums = {"letters": {"train.npz": "1" * 64, "test.npz": "2" * 64}, "mnist": {"x": "3" * 64}}
    for name, source in sums.items():
        paths.append(str(tmp_path / f"{name}-train.h5"))
        about = provenance(0, data=data, dataset=name, source_sha256=source)
        with create_hdf5(paths[-1], about):
            pass
    lines = [f"{digest} {name}" for name, digest in sums["letters"].items()]
    pair: dict[str, dict[str, Any]] = {
        "first": {"name": "letters", "sha256": lines},
        "second": {"name": "mnist", "sha256": [f"{'4' * 64}  of-no-file-that-was-used"]},
    }
    require_images(paths, data, pair)
    with pytest.raises(OriginError, match="dataset is mnist there and letters here"):
        require_images(paths[::-1], data, pair)
    pair["first"]["sha256"] = [lines[0], f"{'5' * 64}  test.npz"]
    with pytest.raises(OriginError, match=r"letters-train.*source_sha256\.test\.npz is 2+ there"):
        require_images(paths, data, pair)
    with pytest.raises(OriginError, match=r"data\.source is full there and sample here"):
        require_images(paths, {**data, "source": "sample"}, pair)


def test_files_of_a_run_carry_what_they_were_made_from(made: Study) -> None:
    for name in ("model.safetensors", "activations.h5", "perturbation_example.h5"):
        found = origin(made.folder / NETWORK / name)
        assert found["data"] == {"source": "sample", "validation": 100}, name
        assert found["training"]["batch"] == 4 and "validate_every" not in found["training"], name
        assert found["interaction"] == "multiplicative" and found["instance"] == 1, name
    with h5py.File(made.folder / "data/sample/scenes/standard/test-00.h5") as file:
        assert {"data", "scenes", "seed", "shard"} <= set(file.attrs)
    assert origin(made.folder / "results/tiny/variants.h5")["seed"] == 2111
