"""Scales and shifts that the configuration accepts keep objects on the canvas, and large enough to be cut."""

from pathlib import Path

import numpy as np
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recurrence.configuration.problems import ConfigurationError, check, overlaid

GOOD = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())


def accepted(block: str, scale: dict[str, float], shift: float) -> bool:
    """Whether the default configuration is right with these scales and this jitter of location in a block."""
    try:
        check(overlaid(GOOD, {block: {"scale": scale, "location": {"jitter": shift}}}))
    except ConfigurationError:
        return False
    return True


@given(
    small=st.floats(0.1, 1.5),
    more=st.floats(0.01, 0.8),
    jitter=st.sampled_from([0.0, 0.05, 0.1]),
    shift=st.one_of(st.sampled_from([0.0, 0.5, 1.5, 2.5]), st.floats(0, 5)),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200, deadline=None)
def test_accepted_objects_stay_on_the_canvas(
    small: float, more: float, jitter: float, shift: float, seed: int
) -> None:
    """The rules for side and corner (docs/experiment.md 1), on random objects."""
    large = small + more
    if not accepted("scenes", {"small": small, "large": large, "jitter": jitter}, shift):
        return
    random = np.random.default_rng(seed)
    u, v = np.concatenate(
        [random.uniform(-1, 1, (2, 500)), [[-1, 1 - 1e-9] * 2, [-1, -1, 1 - 1e-9, 1 - 1e-9]]],
        axis=1,
    )
    for factor in (small, large):
        side = np.rint(28 * (factor + jitter * u)).astype(int)
        for centre in (25, 75):
            corner = np.rint(centre + shift * v).astype(int) - side // 2
            assert side.min() >= 3
            assert corner.min() >= 0
            assert (corner + side).max() <= 100


@given(
    small=st.floats(0.5, 1.5),
    more=st.floats(0.01, 0.8),
    jitter=st.sampled_from([0.0, 0.02, 0.05, 0.1]),
    shift=st.floats(5, 10),
)
@example(small=1.06, more=0.04, jitter=0.05, shift=9.5)  # the largest is at no end of a class
@settings(max_examples=200, deadline=None)
def test_accepted_compounded_targets_stay_on_the_canvas(
    small: float, more: float, jitter: float, shift: float
) -> None:
    """The rules for side and corner (docs/experiment.md 5), on a fine grid of targets."""
    scale = {"small": small, "large": small + more, "jitter": jitter}
    if not accepted("perturbation", scale, shift):
        return
    for middle in (scale["small"], scale["large"]):
        factor = middle + jitter * np.linspace(-1, 1, 5001)[:-1]
        side = np.rint(np.rint(28 * factor) * (2 * small + more - factor)).astype(int)
        for centre in (25, 75):
            corner = np.rint([[centre - shift], [centre + (1 - 1e-9) * shift]]) - side // 2
            assert side.min() >= 3
            assert corner.min() >= 0
            assert (corner + side).max() <= 100
