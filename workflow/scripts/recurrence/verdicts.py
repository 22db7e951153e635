"""Verdicts of the scorecard: when an interval of ours exceeds a bound or agrees with a published one (SPEC 6).

Imports no torch.
"""

from dataclasses import dataclass

import numpy as np

from recurrence.statistics import Band, Evidence, band

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
TOO_FEW = "too few iterations to tell"
# A failed claim tells nothing about networks whose test accuracy is this far below the published one.
SHORT_OF_TRAINING = 0.10

# Variables that are the mean of two, each tested on all scenes.
AXES = {"location": 2, "category": 2}


def sampling_error(value: float, trials: int) -> float:
    """Half the 95 % interval of a fraction that was counted on ``trials`` scenes (binomial).

    All instances of a run are tested on the same scenes, so that their spread does not hold this
    error.
    """
    fraction = min(max(abs(value), 0.0), 1.0)
    return 1.96 * float(np.sqrt(fraction * (1 - fraction) / trials))


def exceeds(found: Band, bound: float, sampling: float) -> bool:
    """Whether an interval, widened by the ``sampling`` error of its scenes, lies above ``bound``.

    The spread of a single instance is not known; its sampling error alone counts.
    """
    half = 0.0 if found.instances < 2 else (found.high - found.low) / 2
    return found.mean - float(np.hypot(half, sampling)) > bound


def agrees(ours: Band, published: Band, sampling: float) -> bool:
    """Whether two intervals overlap, ours widened by the ``sampling`` error of its scenes.

    A single instance of ours is held against the range of a single published instance instead.
    """
    half = (published.high - published.low) / 2
    reach = half if ours.instances > 1 else half * float(np.sqrt(published.instances + 1))
    own = 0.0 if ours.instances < 2 else (ours.high - ours.low) / 2
    return abs(ours.mean - published.mean) <= reach + float(np.hypot(own, sampling))


@dataclass(frozen=True)
class Case:
    """An interaction to be judged: our evidence, the published, the run's other interaction."""

    interaction: str
    ours: Evidence
    published: Evidence
    other: Evidence | None = None

    @property
    def short(self) -> bool:
        """Whether our test accuracy is so far below the published that failing tells nothing."""
        return (
            band(self.ours.accuracy).mean < band(self.published.accuracy).mean - SHORT_OF_TRAINING
        )

    def importance_error(self, found: Band, variable: str) -> float:
        """The sampling error of a functional importance of ours."""
        return sampling_error(found.mean, AXES.get(variable, 1) * self.ours.trials["importance"])

    def timesteps(self, source: str) -> list[int]:
        """Timesteps that both have."""
        return sorted({*self.ours.timesteps(source)} & {*self.published.timesteps(source)})

    def row(
        self,
        claim: str,
        quantity: str,
        ours: Band,
        published: Band,
        held: bool,
        criterion: str,
        trained: bool = True,
        absence: bool = False,
        tolerance: float = np.nan,
    ) -> dict[str, object]:
        """Make a row of the scorecard.

        ``trained`` is false for what does not depend on training; ``absence`` is true for a claim
        that there is no effect, which networks that have learned little fulfil without meaning;
        ``tolerance`` is the allowance made for the finite number of test scenes.
        """
        failure = TOO_FEW if trained and self.short else NOT_REPRODUCED
        success = TOO_FEW if absence and self.short else REPRODUCED
        if np.isfinite(tolerance):
            criterion += " The finite number of test scenes is allowed for (column tolerance)."
        if ours.instances == 1:
            criterion += " One instance gives no interval, so its value alone was judged."
        return {
            "claim": claim,
            "interaction": self.interaction,
            "quantity": quantity,
            "published": published.mean,
            "reproduced": ours.mean,
            "low": ours.low,
            "high": ours.high,
            "instances": ours.instances,
            "verdict": success if held else failure,
            "published_low": published.low,
            "published_high": published.high,
            "tolerance": tolerance,
            "criterion": criterion,
        }
