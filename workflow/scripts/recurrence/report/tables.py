"""The tables of the report: means over networks with bands, beside the published ones. Imports no torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from recurrence.names import AUXILIARY, LAYERS, PERTURBED_VARIABLES
from recurrence.pages import (
    NONE,
    Cell,
    Column,
    Table,
    band_cell,
    columns,
    number,
    number_cell,
    text_cell,
)
from recurrence.statistics import (
    CELL,
    Band,
    Tables,
    band,
    per_instance,
    published_rendering,
    select,
)

Cells = Mapping[tuple[Any, ...], Band]
WITHIN = {True: ("yes", "yes"), False: ("no", "no")}


def tables(ours: Tables, published: Tables, distance: pd.DataFrame) -> list[Table]:
    """All tables of the page that have rows."""
    made = [
        accuracy_table(ours, published),
        decoding_table(ours, published),
        importance_table(ours, published),
    ]
    if ours.ablation is not None:
        made.append(ablation_table(ours.ablation))
    if ours.clutter is not None:
        made.append(clutter_table(ours.clutter))
    made.append(distance_table(distance))
    return [table for table in made if table.rows]


def bands_by(frame: pd.DataFrame, keys: Sequence[str], value: str, factor: float = 1) -> Cells:
    """The band of ``factor`` times ``value`` for each combination of ``keys``."""
    return {
        tuple(key): band(factor * group[value])
        for key, group in frame.groupby(list(keys), sort=False)
    }


def accuracy_table(ours: Tables, published: Tables) -> Table:
    """Test accuracy in per cent by interaction and kind of image."""
    keys = ["interaction", "image"]
    cells = bands_by(ours.accuracy, keys, "accuracy", 100)
    reference = bands_by(published.accuracy.assign(image="cluttered"), keys, "accuracy", 100)
    compared = ["published"] if reference else []
    return Table(
        title="Test accuracy (%)",
        note="Clean scenes show only the target; the networks were trained on cluttered scenes. Chance is 5 %.",
        columns=columns(["interaction", "scenes"], ["networks", "accuracy", *compared]),
        rows=[
            [
                *map(text_cell, key),
                text_cell(cells[key].instances),
                band_cell(cells[key], 1),
                *(band_cell(reference.get(key), 1) for _ in compared),
            ]
            for key in cells
        ],
        csv="accuracy.csv",
    )


def _decoding_bands(decoding: pd.DataFrame) -> dict[str, Cells]:
    """Auxiliary decoding, mean over variables and layers, and category decoding at fc, by timestep."""
    by = ["interaction", "source", "timestep"]
    accuracies = per_instance(decoding, ["source", *CELL], "accuracy")
    auxiliary = accuracies[accuracies["variable"].isin(AUXILIARY)]
    auxiliary = auxiliary.groupby([*by, "instance"], sort=False)[["accuracy"]].mean().reset_index()
    at_fc = select(accuracies, layer="fc", variable="category", source="activation")
    return {
        "auxiliary": bands_by(auxiliary, by, "accuracy", 100),
        "category at fc": bands_by(at_fc, by, "accuracy", 100),
    }


def decoding_table(ours: Tables, published: Tables) -> Table:
    """Decoding accuracy in per cent by timestep."""
    images = ours.decoding["image"].unique() if "image" in ours.decoding else ["cluttered"]
    sets = {str(image): _decoding_bands(select(ours.decoding, image=image)) for image in images}
    sets["published"] = _decoding_bands(published.decoding)
    timesteps = sorted(ours.decoding["timestep"].unique())
    rows = [
        [*map(text_cell, (interaction, f"{what}, {source.replace('_', ' ')}", label)), *cells]
        for interaction in ours.decoding["interaction"].unique()
        for what, source in (
            ("auxiliary", "activation"),
            ("auxiliary", "recurrent_flow"),
            ("category at fc", "activation"),
        )
        for label, bands in sets.items()
        if any((interaction, source, t) in bands[what] for t in timesteps)
        for cells in [[band_cell(bands[what].get((interaction, source, t)), 1) for t in timesteps]]
    ]
    decoders, stopped = len(ours.decoding), 0
    if "unconverged" in ours.decoding:
        stopped = int(ours.decoding["unconverged"].sum())
    return Table(
        title="Linear decoding by timestep (%)",
        note="Auxiliary: mean over location, scale and orientation, and over the four layers. Of "
        f"{decoders:,} linear decoders {stopped:,} stopped at the limit of iterations (config key decoding.max_iter) "
        "before they converged.",
        columns=columns(["interaction", "what, from", "scenes"], [f"t = {t}" for t in timesteps]),
        rows=rows,
        csv="decoding.csv",
    )


def importance_table(ours: Tables, published: Tables) -> Table:
    """Functional importance by timestep: ours and the published mean."""
    keys, value = ["interaction", *CELL], "functional_importance"
    rows = published_rendering(ours.perturbation)
    means, reference = (
        bands_by(per_instance(frame, CELL, value), keys, value)
        for frame in (rows, published.perturbation)
    )
    timesteps = sorted(rows["timestep"].unique())
    names = [*rows.get("rendering", ())]
    rendering = names[0] if names else "as published"

    def cells(*key: str) -> Iterator[Cell]:
        interaction, layer, variable = key
        for t in timesteps:
            here = (interaction, layer, t, variable)
            yield band_cell(means.get(here))
            if reference:
                yield number_cell(reference[here].mean, 2) if here in reference else Cell(NONE, "")

    over_time = []
    for t in timesteps:
        compared = [Column(f"published, t = {t}", "grey")] if reference else []
        over_time += [Column(f"t = {t}"), *compared]
    return Table(
        title="Functional importance",
        note="How much more accuracy a perturbation costs than its control, as a fraction of the original accuracy. "
        f"Rendering of the altered copies: {rendering}.",
        columns=[*columns(["interaction", "layer", "variable"], []), *over_time],
        rows=[
            [*map(text_cell, key), *cells(*key)]
            for interaction in rows["interaction"].unique()
            for layer in LAYERS
            for variable in PERTURBED_VARIABLES
            for key in [(str(interaction), layer, variable)]
        ],
        csv="perturbation.csv",
    )


def ablation_table(ablation: pd.DataFrame) -> Table:
    """Accuracy in per cent with and without connections."""
    frame = ablation.assign(lost=ablation["accuracy_intact"] - ablation["accuracy_ablated"])
    values = ["accuracy_intact", "accuracy_ablated", "lost"]
    return Table(
        title="Ablation of connections (%)",
        note="Test accuracy of the trained networks, with and without recurrent connections: each by itself (a lateral "
        "one has the name of its layer), all lateral or all top-down ones, all.",
        columns=columns(["interaction", "removed"], ["intact", "ablated", "lost"]),
        rows=[
            [*map(text_cell, key), *(band_cell(band(100 * group[value]), 1) for value in values)]
            for key, group in frame.groupby(["interaction", "removed"], sort=False)
        ],
        csv="ablation.csv",
    )


def clutter_table(clutter: pd.DataFrame) -> Table:
    """Clutter left at the input by timestep."""
    clutter = select(clutter, quadrant="all")
    timesteps = sorted(clutter["timestep"].unique())
    values = {
        "energy_outside": "share of energy outside the target",
        "relative": "relative to t = 1",
    }
    cells = {value: bands_by(clutter, ["interaction", "timestep"], value) for value in values}
    return Table(
        title="Clutter at the input over time",
        note="Energy of the input map (sum of squares) outside the target.",
        columns=columns(["interaction", "what"], [f"t = {t}" for t in timesteps]),
        rows=[
            [text_cell(name), text_cell(title)]
            + [band_cell(cells[value].get((name, t))) for t in timesteps]
            for name in clutter["interaction"].unique()
            for value, title in values.items()
        ],
        csv="clutter.csv",
    )


def distance_table(distance: pd.DataFrame) -> Table:
    """How far each network is from the published means: the rows of distance.csv."""

    def row(values: Mapping[Any, Any]) -> list[Cell]:
        within = values["within"]
        text, chip = ("cannot tell", "unclear") if pd.isna(within) else WITHIN[bool(within)]
        return [
            *(text_cell(values[key]) for key in ("interaction", "instance", "quantity")),
            *(
                number_cell(values[key])
                for key in (
                    "mean_absolute_difference",
                    "published_mean_absolute_difference",
                    "correlation",
                    "published_correlation",
                    "sampling_noise",
                )
            ),
            Cell(text, chip=chip),
        ]

    titles = ["difference", "largest published", "correlation", "lowest published", "noise"]
    styles = ["", "grey", "", "grey", ""]
    return Table(
        title="Distance from the published means",
        note="Mean absolute difference and correlation over all published cells; in grey the worst that a "
        "published network has when it is left out. Noise: what the finite number of test scenes makes "
        "by chance alone. Within: whether the network could be one of the published ones.",
        columns=[
            *columns(["interaction", "network", "what"], []),
            *map(Column, titles, styles),
            Column("within", "text"),
        ],
        rows=[row(values) for values in distance.to_dict("records")],
        csv="distance.csv",
    )


def claim_table(text: str, rows: Sequence[Mapping[Any, Any]], styles: Mapping[str, str]) -> Table:
    """The rows of a claim in the scorecard; ``styles`` has the class of each verdict's chip.

    The last column counts the claim's rules from 1, in the order of their first row.
    """
    rules = list(dict.fromkeys(row["criterion"] for row in rows))
    titles = ["published", "reproduced", "interval", "limits", "networks", "rule"]
    return Table(
        title=text,
        note="The rules are below the table.",
        columns=[
            Column("quantity", "wrap"),
            *columns(["interaction", "verdict"], titles),
        ],
        rows=[
            [
                Cell(row["quantity"].replace("t = ", "t\u00a0=\u00a0"), row["quantity"]),
                text_cell(row["interaction"]),
                Cell(row["verdict"], chip=styles[row["verdict"]]),
                number_cell(row["published"]),
                number_cell(row["reproduced"]),
                Cell(f"{number(row['low'])} to {number(row['high'])}", row["low"]),
                Cell(limits(row), "" if pd.isna(row["lower_limit"]) else row["lower_limit"]),
                text_cell(row["instances"]),
                text_cell(rules.index(row["criterion"]) + 1),
            ]
            for row in rows
        ],
        csv="scorecard.csv",
    )


def limits(row: Mapping[Any, Any]) -> str:
    """The limits of a row of the scorecard, as text."""
    lower, upper = row["lower_limit"], row["upper_limit"]
    if pd.isna(upper) and pd.isna(lower):
        return NONE
    if pd.isna(upper):
        return f"above {number(lower)}"
    return f"below {number(upper)}" if pd.isna(lower) else f"{number(lower)} to {number(upper)}"
