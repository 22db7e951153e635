"""When is the answer there? What the output layer says when it sees fc only up to a timestep, or at one alone.

The output layer is the trained one, and what it does not see is set to 0. It has learned to read all timesteps
together, so that its answers at early ones say what the network could tell by then, not the most that fc holds:
for that there is decoding.
"""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from recurrence.network import RecurrentNetwork, Trajectory

SEEN = {"so_far": False, "alone": True}  # of fc, by the output layer: the argument of read_outs
ANSWERS = ("all", "right", "wrong")  # of the whole network, at the end
COLUMNS = ("seen", "answer", "timestep", "n", "accuracy", "confidence")


class AnswerCounts:
    """Counts right answers, and adds up confidences, of batches of scenes."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Tensor] = {}

    def add(self, network: RecurrentNetwork, run: Trajectory, category: Tensor) -> None:
        """Count the scenes of a trajectory, with their ``category`` (batch,)."""
        final = run.logits.argmax(1) == category
        for seen, alone in SEEN.items():
            logits = network.read_outs(run, alone).float()
            right = logits.argmax(2) == category[:, None]
            confidence = logits.softmax(2).amax(2)
            one = torch.ones_like(confidence)
            values = torch.stack([one, right, confidence], 2).double()  # (batch, timesteps, 3)
            for answer, scenes in (("right", final), ("wrong", ~final)):
                total = values[scenes].sum(0).cpu()
                before = self._sums.get((seen, answer), torch.zeros_like(total))
                self._sums[seen, answer] = before + total

    def table(self) -> pd.DataFrame:
        """A row for what is ``seen``, the network's final ``answer`` to a scene, and each timestep.

        ``accuracy`` is the fraction of right answers, ``confidence`` the mean softmax of the chosen category. They
        are nan if there are no such scenes.
        """
        rows: list[tuple[Any, ...]] = []
        for seen in SEEN:
            right, wrong = self._sums[seen, "right"], self._sums[seen, "wrong"]
            for answer, sums in zip(ANSWERS, (right + wrong, right, wrong), strict=True):
                for t, (n, hits, confidence) in enumerate(sums.tolist()):
                    means = (hits / n, confidence / n) if n else (float("nan"),) * 2
                    rows.append((seen, answer, t + 1, int(n), *means))
        return pd.DataFrame(rows, columns=list(COLUMNS))
