"""The names of the categories: those of the classes of both datasets."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from recurrence.storage import read_table


def category_table(datasets: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each category: ``category`` (0 to 19), ``dataset``, and ``name``, that of its class."""
    rows = [(each["name"], name) for each in datasets for name in each["classes"]]
    return pd.DataFrame(rows, columns=["dataset", "name"]).rename_axis("category").reset_index()


def read_names(path: str | Path) -> list[str]:
    """The names of the categories, in order, from the file of that table. Raises as ``read_table`` does."""
    table = read_table(path, usecols=["name"], dtype=str, keep_default_na=False)
    return list(table["name"])
