"""Small runs under other settings of the machine give the same results."""

import json
import os
import shutil
from pathlib import Path

import h5py
import pytest
from safetensors import safe_open

from study import TINY, WHOLE_FLOWS, Study, assert_same_tables


@pytest.mark.parametrize("switch", ["ATEN_CPU_CAPABILITY=default", "ONEDNN_MAX_CPU_ISA=AVX2"])
def test_a_processor_without_bfloat16_takes_float32_and_reruns_nothing(
    finished: Study, tmp_path: Path, switch: str
) -> None:
    study, (name, value) = Study(tmp_path, TINY | WHOLE_FLOWS), switch.split("=")
    shutil.copytree(finished.folder / "data/sample", study.folder / "data/sample")
    network = "results/tiny/additive/instance1"
    files = [f"{network}/{file}.csv" for file in ("accuracy", "perturbation")]
    result = study.snakemake("--notemp", *files, env=os.environ | {name: value})
    assert result.returncode == 0, result.stdout + result.stderr
    with safe_open(study.folder / network / "model.safetensors", "np") as file:
        about = json.loads(file.metadata()["provenance"])
    assert (about["training"]["precision"], about["precision"]) == ("auto", "float32")
    with h5py.File(study.folder / network / "activations.h5") as file:
        assert file.attrs["precision"] == "float32"
    with h5py.File(study.folder / network / "perturbation_example.h5") as file:
        assert file.attrs["table_precision"] == "float32"
    for stage in ("train", "record", "perturb"):
        log = (study.folder / f"results/tiny/logs/{stage}/additive-1.log").read_text()
        assert "computing in float32 on cpu" in log
    assert study.planned("--notemp", *files) == {}  # where auto may be bfloat16


OF_ONE_NETWORK = ("1", "4A")  # figures
RC = "image.origin: lower\nfont.size: 20\naxes.facecolor: red\nsavefig.bbox: tight\n"
SETTINGS = {
    "PYTHONOPTIMIZE": "2",
    "LC_ALL": "C",
    "OMP_NUM_THREADS": "64",
    "MPLBACKEND": "Qt4Agg",  # which matplotlib no longer has, so that it cannot be imported
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
