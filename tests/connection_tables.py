"""Made-up tables about single connections, beside the rows that the paper has."""

from itertools import product

import pandas as pd

from blocks import PAPER
from recurrence.wiring import ends

CONNECTIONS = [*PAPER.lateral, *PAPER.topdown]
ABLATIONS = [*CONNECTIONS, "lateral", "topdown", "all"]


def with_connections(table: pd.DataFrame) -> pd.DataFrame:
    """Decoding or perturbation with rows for each connection too, which have much smaller values, a step apart."""
    value = "accuracy" if "accuracy" in table else "functional_importance"
    parts = [table.assign(connection="all")]
    flow = table[table["source"] == "recurrent_flow"] if "source" in table else table
    for number, name in enumerate(CONNECTIONS, 1):
        rows = flow[flow["layer"] == ends(name)[1]]
        changed = {value: 0.2 * rows[value] - 0.02 * number, "connection": name}
        parts.append(rows.assign(**changed))
    return pd.concat(parts)


def ablations_over_time(interactions: list[str], instances: int, timesteps: int) -> pd.DataFrame:
    """Ablations of ``instances`` networks: each costs more than the one before, and more so later."""
    rows = []
    for interaction, instance, t in product(
        interactions, range(1, instances + 1), range(1, timesteps + 1)
    ):
        for number, name in enumerate(ABLATIONS):
            intact = 0.2 * t + 0.001 * instance
            lost = 0.01 * number * (t - 1) + 0.001 * instance * (t - 1)
            counts = (100, intact, intact - lost, 2, 1)
            rows.append((interaction, instance, name, *counts, t))
    columns = "interaction instance removed n accuracy_intact accuracy_ablated intact_only ablated_only timestep"
    return pd.DataFrame(rows, columns=columns.split())
