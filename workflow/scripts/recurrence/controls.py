"""Does recurrence pay? Recurrent networks against feedforward controls, for the scorecard. Imports no torch."""

from collections.abc import Iterator, Mapping

import numpy as np

from recurrence.names import FEEDFORWARD, LAYERS
from recurrence.statistics import Evidence, Measurement
from recurrence.verdicts import NO_VERDICT, Interval, Row, Spread

CRITERION = (
    "The mean of the recurrent networks minus that of the control. The interval is that of the difference (Student's "
    "t, pooled variances, test scenes as if they were different ones). The paper has no such control, so that there "
    "is no verdict."
)


def control_rows(recurrent: Mapping[str, Evidence], controls: Mapping[str, Evidence]) -> list[Row]:
    """Test accuracy and auxiliary decoding of recurrent networks minus those of each control, by interaction."""
    return [
        row
        for interaction, ours in recurrent.items()
        for control in FEEDFORWARD
        if control in controls
        for row in _differences(interaction, ours, control, controls[control])
    ]


def _differences(interaction: str, ours: Evidence, control: str, theirs: Evidence) -> Iterator[Row]:
    name = control.replace("_", " ")
    pairs = [(f"test accuracy above that of {name}", ours.accuracy, theirs.accuracy)]
    steps = [evidence.timesteps("activation") for evidence in (ours, theirs)]
    if all(steps):
        one, other = (
            evidence.auxiliary("activation", LAYERS, times[-1])
            for evidence, times in zip((ours, theirs), steps, strict=True)
        )
        quantity = f"auxiliary decoding (mean over layers, t = {steps[0][-1]}) above that of {name}"
        pairs.append((quantity, one, other))
    for quantity, one, other in pairs:
        if one.sample.size and other.sample.size:
            difference = _interval(one, other)
            yield Row(
                claim="controls",
                interaction=interaction,
                quantity=quantity,
                published=float("nan"),
                reproduced=difference.mean,
                low=difference.low,
                high=difference.high,
                instances=one.sample.size,
                verdict=NO_VERDICT,
                lower_limit=float("nan"),
                upper_limit=float("nan"),
                sampling_error=float(np.hypot(one.error, other.error)),
                criterion=CRITERION,
            )


def _interval(one: Measurement, other: Measurement) -> Interval:
    """The interval of the difference of two means; nan ends for one network of each."""
    n = other.sample.size
    spread = Spread(float(other.sample.std(ddof=1)) if n > 1 else 0.0, n - 1)
    shifted = Measurement(one.values - other.mean, float(np.hypot(one.error, other.error)))
    if one.sample.size + n < 3:
        return Interval(shifted.mean, float("nan"), float("nan"))
    return Interval.of(shifted, spread, others=n)
