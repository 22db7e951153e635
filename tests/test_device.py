"""With a network on a GPU all tensors are there. Tested with pretended devices, on which only shapes are computed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from blocks import SMALL, TRAINING
from recurrence.clutter import energy_outside
from recurrence.device_rendering import render_tensors
from recurrence.devices import computes_bfloat16, prepare_torch, resolve_precision, send
from recurrence.job import Progress
from recurrence.names import ALTERATIONS
from recurrence.network import Intervention, RecurrentNetwork
from recurrence.perturbation import replacements
from recurrence.scenes import SceneDistribution, SourceImages, alter, sample
from recurrence.training import Streams, train

GPU = torch.device("cuda", 0)


def test_scenes_are_painted_on_the_device(sources: SourceImages) -> None:
    unjittered = SceneDistribution(7, 0.8, 1.6, 0, 35, 0, 0)
    recipe = sample(sources, unjittered, 1, range(3))
    recipes = [recipe] + [alter(recipe, v, "compounded", unjittered) for v in ALTERATIONS]
    with FakeTensorMode(allow_non_fake_inputs=True):
        images = torch.empty(sources.images.shape, dtype=torch.uint8, device=GPU)
        for each in recipes:
            scenes = render_tensors(images, each)
            assert scenes.device == GPU and scenes.shape == (3, 1, 100, 100)


@pytest.mark.parametrize("interaction", ["multiplicative", "additive", "feedforward"])
def test_passes_stay_on_the_device(interaction: str) -> None:
    network = RecurrentNetwork(interaction, SMALL)
    places = {name: (weight.shape, weight.stride()) for name, weight in network.named_parameters()}
    with FakeTensorMode(), torch.inference_mode():
        weights = {name: torch.empty_strided(*place, device=GPU) for name, place in places.items()}
        images, altered = (torch.empty(2, 1, 100, 100, device=GPU) for _ in range(2))
        known, other = (functional_call(network, weights, (x,)) for x in (images, altered))
        assert known.logits.device == GPU
        where = torch.empty(2, dtype=torch.int64, device=GPU)
        assert energy_outside(known, altered, images, where, where).device == GPU
        permutations = {
            layer: torch.empty(2, torch.Size(shape).numel(), dtype=torch.long, device=GPU)
            for layer, shape in network.shapes.items()
        }
        for layer, timestep, _, flows in replacements(known, other, permutations):
            for flow in flows.values():
                again = (images, Intervention(layer, timestep, flow), known)
                assert functional_call(network, weights, again).logits.device == GPU


def test_mixed_precision_does_not_touch_scenes(sources: SourceImages) -> None:
    images, recipe = (
        torch.from_numpy(sources.images),
        sample(sources, SceneDistribution(), 1, range(2)),
    )
    exact = render_tensors(images, recipe)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(render_tensors(images, recipe), exact)


class Unsynchronised(Progress):
    """Makes PyTorch raise an error if the CPU waits for the GPU, between the first and last iterations."""

    def due(self) -> bool:
        self.total += 1
        torch.cuda.set_sync_debug_mode("error" if 3 <= self.total < 9 else "default")
        return False


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_cpu_does_not_wait_for_a_gpu_in_training(sources: SourceImages, tmp_path: Path) -> None:
    every = dict.fromkeys(("iterations", "validate_every"), 10)
    block = TRAINING.model_copy(update=every)
    network, progress = RecurrentNetwork("multiplicative", SMALL), Unsynchronised("test", [], 0)
    streams = Streams(sources, sources, SceneDistribution(), 1)
    curve, _ = train(network.to(GPU), streams, block, tmp_path / "state.pt", 10, progress)
    assert curve.iteration.tolist() == [10]


def test_an_array_is_sent_unchanged() -> None:
    numbers = torch.arange(6).view(2, 3)
    assert torch.equal(send(numbers.numpy(), torch.device("cpu")), numbers)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device_is_refused_with_its_key() -> None:
    with pytest.raises(ValueError, match=r"compute\.device is cuda:1, .*: set cpu or auto"):
        prepare_torch("cuda:1", 1)
    assert prepare_torch("auto", 1).type == "cpu"


HAS_BFLOAT16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        ("NONE=", HAS_BFLOAT16),
        ("ATEN_CPU_CAPABILITY=default", False),
        ("ONEDNN_MAX_CPU_ISA=AVX2", False),
        ("ONEDNN_MAX_CPU_ISA=AVX512_CORE", False),
    ],
)
@pytest.mark.skipif(torch.cpu.get_capabilities()["architecture"] != "x86_64", reason="names of x86")
def test_auto_is_bfloat16_where_the_cpu_computes_in_it(switch: str, expected: bool) -> None:
    name, value = switch.split("=")
    code = (
        "import torch; from recurrence.devices import resolve_precision as resolve; "
        "print(*(resolve(wanted, torch.device('cpu')) for wanted in ('auto', 'bfloat16', 'float32')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1] / "workflow/scripts",
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    auto = "bfloat16" if expected else "float32"
    assert done.stdout.split() == [auto, "bfloat16", "float32"]


@pytest.mark.parametrize("has", [True, False])
def test_auto_is_bfloat16_on_gpus_that_compute_in_it(
    has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older GPUs emulate it, which does not count."""
    computes_bfloat16.cache_clear()
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has or including_emulation
    )
    try:
        assert resolve_precision("auto", GPU) == ("bfloat16" if has else "float32")
    finally:
        computes_bfloat16.cache_clear()
