"""The scenes in the figures of input maps: which are chosen, and what is written of them."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from recordings import SHARD, made
from recurrence.examples import typical_scenes, write_examples
from recurrence.scene_reading import SceneSet


def test_typical_scenes_are_right_and_near_the_median() -> None:
    random = np.random.default_rng(0)
    tables = [
        pd.DataFrame(
            {
                "scene": range(80),
                "category": np.arange(80) % 20,
                "answer": np.where(
                    random.random(80) < 0.7, np.arange(80) % 20, 19 - np.arange(80) % 20
                ),
                "clutter_left": random.random(80),
            }
        )
        for _ in range(2)
    ]
    chosen = typical_scenes(tables, 7)
    reduction = {}
    for scene in range(80):
        rows = [table.iloc[scene] for table in tables]
        if all(row["answer"] == row["category"] for row in rows):
            reduction[scene] = np.mean([1 - row["clutter_left"] for row in rows])
    median = np.median([*reduction.values()])
    ranked = sorted(reduction, key=lambda scene: abs(reduction[scene] - median))
    assert chosen == ranked[:7]
    assert typical_scenes(tables, 1_000) == ranked
    assert typical_scenes([tables[0].assign(answer=-1), tables[1]], 7) == []


@pytest.mark.parametrize("typical", [[70, 3, 61], []])
def test_examples_for_the_figures(
    typical: list[int], scene_files: list[str], tmp_path: Path
) -> None:
    networks, path = (
        {name: made(name) for name in ("multiplicative", "additive")},
        tmp_path / "a.h5",
    )
    write_examples(networks, SceneSet(scene_files, 2 * SHARD), typical, path, {})
    with h5py.File(path) as file:
        chosen = file["scene"][:].tolist()
        others = [scene for scene in range(15) if scene not in typical]
        assert chosen == [*typical, *others][:12]
        assert file.attrs["typical"] == len(typical)
        for place, scene in enumerate(chosen):
            with h5py.File(scene_files[scene // SHARD]) as shard, torch.inference_mode():
                image = shard["scenes"][scene % SHARD]
                np.testing.assert_array_equal(file["scenes"][place], image)
                np.testing.assert_array_equal(file["clean"][place], shard["clean"][scene % SHARD])
                for name in ("category", "location_horizontal"):
                    label = shard[f"labels/{name}"][scene % SHARD]
                    assert file[f"labels/{name}"][place] == label
                for name, network in networks.items():
                    run = network(torch.from_numpy(image)[None, None])
                    assert file[f"prediction/{name}"][place] == int(run.logits.argmax())
                    last = run.activities[-1].maps["input"][0, 0]
                    np.testing.assert_allclose(file[f"input/{name}"][place, -1], last, atol=1e-5)
