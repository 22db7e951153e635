"""What each recurrent connection is good for: the accuracy of the trained network without it.

The connections are removed from all timesteps, and nothing is trained again. Over time the output layer is read as in
:mod:`recurrence.answers`: it sees fc up to a timestep, so that the last one gives the network's answer.
"""

import pandas as pd
import torch
from torch import Tensor

from recurrence.names import ALL
from recurrence.network import Ablation, RecurrentNetwork, Trajectory

COLUMNS = [
    *("removed", "n", "accuracy_intact", "accuracy_ablated", "intact_only", "ablated_only"),
    "timestep",  # that the output layer sees fc up to
]


def ablations(network: RecurrentNetwork) -> dict[str, list[str]]:
    """The connections to remove, by the name of the ablation: each by itself, all lateral, all top-down, and all."""
    groups = {"lateral": [*network.lateral], "topdown": [*network.topdown]}
    groups[ALL] = network.connections
    return {
        **{name: [name] for name in network.connections},
        **{name: connections for name, connections in groups.items() if connections},
    }


class AblationCounts:
    """Counts the right answers of a network with and without connections, on batches of scenes."""

    def __init__(self, network: RecurrentNetwork) -> None:
        self._network, self._ablations, self._n = network, ablations(network), 0
        self._counts = torch.zeros(len(self._ablations), 4, network.timesteps, dtype=torch.long)

    def add(self, images: Tensor, intact: Trajectory, category: Tensor) -> None:
        """Count the scenes ``images``, whose ``category`` is (batch,) and whose trajectory is ``intact``."""
        right = self._right(intact, category)
        self._n += len(category)
        for number, connections in enumerate(self._ablations.values()):
            still = self._right(self._network(images, Ablation(connections), intact), category)
            counts = torch.stack([right, still, right & ~still, still & ~right]).sum(1)
            self._counts[number] += counts.cpu()

    def _right(self, run: Trajectory, category: Tensor) -> Tensor:
        """Whether the output layer is right at each timestep, (batch, timesteps)."""
        return self._network.read_outs(run).argmax(2) == category[:, None]

    def table(self) -> pd.DataFrame:
        """A row for each of :func:`ablations`: none if the network has no recurrent connections.

        ``accuracy_intact`` and ``accuracy_ablated`` are of ``n`` scenes; ``intact_only`` and ``ablated_only`` count the
        scenes that are answered right only with and only without the connections.
        """
        over_time = self.table_over_time()
        final = over_time[over_time["timestep"] == self._network.timesteps]
        return final.drop(columns="timestep").reset_index(drop=True)

    def table_over_time(self) -> pd.DataFrame:
        """The rows of :meth:`table` for each timestep that the output layer sees fc up to."""
        rows = [
            (name, self._n, right / self._n, still / self._n, lost, won, t)
            for name, counts in zip(self._ablations, self._counts.tolist(), strict=True)
            for t, (right, still, lost, won) in enumerate(zip(*counts, strict=True), 1)
        ]
        return pd.DataFrame(rows, columns=COLUMNS)
