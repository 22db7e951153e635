"""The two readings of the perturbation side by side: what importance the compounded copies lose. Imports no torch."""

from typing import Any

import pandas as pd

from recurrence.names import ALL, RENDERED_TWICE, RENDERINGS
from recurrence.statistics import CELL, band, per_instance, select

KEYS = ["interaction", *CELL]
COLUMNS = (*KEYS, *RENDERINGS, "lost", "low", "high", "share_lost", "instances")
SMALLEST = 0.04  # importance; of less than this no share is given


def importance_lost(perturbation: pd.DataFrame) -> pd.DataFrame:
    """Make renderings.csv from perturbation.csv: a row for each cell of scale and orientation.

    ``lost`` is the importance with opposite copies minus that with compounded ones within each network, mean over
    networks, with the authors' 95 % band; ``share_lost`` is that fraction of the mean importance with opposite
    copies. Without both readings there is no row.
    """
    rows = select(perturbation, connection=ALL)
    rows = rows[rows["variable"].isin(RENDERED_TWICE)]
    networks = per_instance(rows, ["rendering", *CELL], "functional_importance")
    wide = networks.pivot_table(
        index=[*KEYS, "instance"], columns="rendering", values="functional_importance", sort=False
    )
    if not {*RENDERINGS} <= {*wide.columns}:
        return pd.DataFrame(columns=list(COLUMNS))
    made: list[tuple[Any, ...]] = []
    for key, cell in wide.dropna().groupby(KEYS, sort=False):
        opposite, compounded = (float(cell[reading].mean()) for reading in RENDERINGS)
        lost = band(cell["opposite"] - cell["compounded"])
        share = lost.mean / opposite if opposite >= SMALLEST else float("nan")
        made.append(
            (*key, opposite, compounded, lost.mean, lost.low, lost.high, share, lost.instances)
        )
    return pd.DataFrame(made, columns=list(COLUMNS))
