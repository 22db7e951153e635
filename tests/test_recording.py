"""Recordings: the network's activations and flow, to the stated precision, in files with labels."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from blocks import SMALL, block_with
from recordings import SHARD, made, recorded
from recurrence import storage
from recurrence.clutter import QUADRANTS, energy_outside
from recurrence.names import LAYERS
from recurrence.network import RecurrentNetwork
from recurrence.recording import MANTISSA, bytes_needed, layout, round_mantissa
from recurrence.scene_reading import SceneSet
from recurrence.variables import VARIABLES
from recurrence.wiring import ends

COUNT = 70
SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"


@pytest.mark.parametrize("interaction", ["multiplicative", "additive", "feedforward"])
def test_recording_equals_the_network(
    interaction: str, scene_files: list[str], tmp_path: Path
) -> None:
    network, path = made(interaction), tmp_path / "activations.h5"
    evaluation = recorded(network, SceneSet(scene_files, COUNT), path)

    shards = [h5py.File(file) for file in scene_files]

    def scenes(name: str) -> Any:
        return np.concatenate([shard[name][:] for shard in shards])[:COUNT]

    correct = {}
    with torch.inference_mode(), h5py.File(path) as file:
        for group, images in (("", scenes("scenes")), ("clean/", scenes("clean"))):
            run = network(torch.from_numpy(images)[:, None])
            np.testing.assert_allclose(file[f"{group}logits"][:], run.logits, atol=1e-4)
            for t, activity in enumerate(run.activities):
                for layer, output in activity.outputs.items():
                    stored = file[f"{group}activation/{layer}"]
                    assert stored.dtype == np.float16 and stored.dims[1].label == "timestep"
                    expected = output.numpy()
                    np.testing.assert_allclose(
                        stored[:, t], expected, rtol=2.0 ** -MANTISSA["activation"], atol=1e-4
                    )
            correct[group] = (run.logits.argmax(1).numpy() == scenes("labels/category")).mean()
            if not group:
                for t in range(1, len(run.flows)):
                    for layer, flow in run.flows[t].items():
                        stored = file[f"recurrent_flow/{layer}"][:, t - 1]
                        np.testing.assert_allclose(
                            stored, flow, rtol=2.0 ** -MANTISSA["recurrent_flow"], atol=1e-4
                        )
                place = (
                    torch.from_numpy(scenes(f"labels/location_{axis}"))
                    for axis in ("horizontal", "vertical")
                )
                both = (torch.from_numpy(scenes(name))[:, None] for name in ("scenes", "clean"))
                energy = energy_outside(run, *both, *place)
                table = evaluation.clutter.set_index(["quadrant", "timestep"])["energy_outside"]
                for number, quadrant in enumerate(QUADRANTS):
                    expected = energy[..., number].mean(0)
                    np.testing.assert_allclose(table[quadrant], expected, rtol=1e-4)
        assert set(file["activation"]) == {"input", "conv1", "conv2", "fc"}
        flows = set() if interaction == "feedforward" else {"input", "conv1", "conv2", "fc"}
        assert set(file.get("recurrent_flow", ())) == flows
        for variable in VARIABLES:
            np.testing.assert_array_equal(
                file[f"labels/{variable}"][:], scenes(f"labels/{variable}")
            )
    assert evaluation.accuracy.set_index("image").accuracy.to_dict() == pytest.approx(
        {"cluttered": correct[""], "clean": correct["clean/"]}
    )
    assert evaluation.clutter.relative[0] == 1
    assert len(evaluation.ablation) == (interaction != "feedforward") * 12


@pytest.mark.parametrize("interaction", ["multiplicative", "additive", "feedforward"])
def test_what_each_connection_carries_is_recorded_if_asked_for(
    interaction: str, scene_files: list[str], tmp_path: Path
) -> None:
    network, count = made(interaction), 7
    for connections in (False, True):
        path = tmp_path / f"{connections}.h5"
        recorded(network, SceneSet(scene_files, count), path, connections=connections)
    with h5py.File(tmp_path / "False.h5") as sums, h5py.File(tmp_path / "True.h5") as file:
        assert "connection_flow" not in sums
        assert {*file.get("connection_flow", ())} == {*network.connections}
        for name in ("activation/conv1", "clean/logits", "labels/scale"):
            np.testing.assert_array_equal(file[name][:], sums[name][:])
        if interaction == "feedforward":
            return
        for layer in LAYERS:
            names = [name for name in network.connections if ends(name)[1] == layer]
            together = sum(file[f"connection_flow/{name}"][:].astype(np.float64) for name in names)
            sizes = sum(np.abs(file[f"connection_flow/{name}"][:]) for name in names)
            apart = np.abs(together - file[f"recurrent_flow/{layer}"][:])
            assert (apart <= 2.0 ** -MANTISSA["recurrent_flow"] * 2 * sizes + 1e-3).all()
        with h5py.File(scene_files[0]) as shard, torch.inference_mode():
            run = network(torch.from_numpy(shard["scenes"][:count])[:, None])
        for name in network.connections:
            stored = file[f"connection_flow/{name}"]
            source, target = ends(name)
            assert stored.shape == (count, 2, *network.shapes[target])
            assert stored.attrs["first_timestep"] == 2
            assert stored.dims[2].label == ("unit" if target == "fc" else "channel")
            lateral = name in network.lateral
            module = network.lateral[name] if lateral else network.topdown[name]
            for t in (0, 1):
                activity = run.activities[t]
                with torch.inference_mode():
                    expected = module((activity.maps if lateral else activity.outputs)[source])
                rounding = 2.0 ** -MANTISSA["recurrent_flow"]
                np.testing.assert_allclose(stored[:, t], expected, rtol=rounding, atol=1e-4)


def test_bfloat16_is_close_to_float32(scene_files: list[str], tmp_path: Path) -> None:
    paths = {precision: tmp_path / f"{precision}.h5" for precision in ("float32", "bfloat16")}
    for precision, path in paths.items():
        recorded(made("multiplicative"), SceneSet(scene_files, SHARD), path, precision)
    with h5py.File(paths["float32"]) as exact, h5py.File(paths["bfloat16"]) as near:
        for name in ("activation/fc", "clean/activation/conv2", "recurrent_flow/input", "logits"):
            a, b = (file[name][:].astype(np.float64) for file in (exact, near))
            assert 0 < np.abs(a - b).mean() < 0.03 * np.abs(a).mean()


@pytest.mark.parametrize("bits", [3, 5])
def test_rounding_keeps_the_stated_precision(bits: int) -> None:
    values = torch.cat([torch.randn(10_000) * 10.0**k for k in (-3, 0, 3)] + [torch.zeros(3)])
    rounded = round_mantissa(values, bits)
    np.testing.assert_allclose(rounded, values, rtol=1.02 * 2.0 ** -(bits + 1), atol=8e-6)
    assert (rounded.view(np.uint16) & ((1 << (10 - bits)) - 1) == 0).all()
    assert (rounded[-3:] == 0).all()


@pytest.mark.parametrize("size", [1e6, float("nan")])
def test_what_float16_cannot_hold_is_refused_by_its_layer(
    size: float, scene_files: list[str], tmp_path: Path
) -> None:
    network = made("additive")
    with torch.no_grad():
        network.feedforward["conv1"].weight.fill_(size)
    with pytest.raises(
        ValueError, match=r"has (nan|[\d.e+]+) in clean/activation/conv1: it cannot"
    ):
        recorded(network, SceneSet(scene_files, SHARD), tmp_path / "activations.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_reported_before_the_work(
    scene_files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, path = made("additive"), tmp_path / "activations.h5"
    needed = bytes_needed(layout(network, connections=False), COUNT)
    usage = type("usage", (), {"free": needed - 1})
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"the recording may need .* record\.scenes"):
        recorded(network, SceneSet(scene_files, COUNT), path)
    assert list(tmp_path.iterdir()) == []


FILL_THE_DISK = """
import sys
from types import SimpleNamespace
import numpy as np
from recurrence import job, storage
with job.logged(SimpleNamespace(log=[sys.argv[1] + "/log"])):
    print("begun")
    with storage.create_hdf5(sys.argv[1] + "/activations.h5", {}) as file:
        for n in range(100):
            storage.write_dataset(file, str(n), np.random.rand(50_000))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_full_for_the_log_too_is_reported_in_the_terminal(small_disk: Path) -> None:
    (small_disk / "model.safetensors").write_bytes(b"trained")
    (small_disk / "other").write_bytes(bytes(2_000_000))
    result = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(small_disk)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )
    assert result.returncode != 0
    assert "activations.h5 cannot be written (is the disk full?)" in result.stderr
    kept = {"model.safetensors", "other", "log", ".log.lock"}
    assert {path.name for path in small_disk.iterdir()} == kept
    assert (small_disk / "model.safetensors").read_bytes() == b"trained"
    assert (small_disk / "log").read_text().startswith("begun\n")


def test_damaged_scenes_are_refused_by_name(scene_files: list[str], tmp_path: Path) -> None:
    damaged = tmp_path / "test-00.h5"
    with h5py.File(scene_files[0]) as whole, h5py.File(damaged, "w") as file:
        for name in ("scenes", "clean"):
            file.create_dataset(name, data=whole[name][:], compression="gzip", fletcher32=True)
        where = file["scenes"].id.get_chunk_info(0).byte_offset
        whole.copy("labels", file)
    content = bytearray(damaged.read_bytes())
    content[where + 100] ^= 1
    for broken in (content, content[:5000]):
        damaged.write_bytes(broken)
        with pytest.raises(ValueError, match=r"test-00\.h5 is damaged: delete it"):
            recorded(made("additive"), SceneSet([str(damaged)], SHARD), tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def test_one_channel_is_recorded_pooled(scene_files: list[str], tmp_path: Path) -> None:
    network = RecurrentNetwork(
        "additive", block_with(SMALL, channels={"conv1": 1, "conv2": 1})
    ).eval()
    recorded(network, SceneSet(scene_files, 5), tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["activation/conv1"].shape == (5, 3, 1, 32, 32)
