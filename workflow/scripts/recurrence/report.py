"""The report of a run, one self-contained page: scorecard, figures, tables, provenance. Imports no torch.

The page needs no other file; it only links to the PDFs in the folder ``figures`` and the tables. It
has no dates.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import yaml

from recurrence.claims import CLAIMS
from recurrence.figure_list import FIGURES
from recurrence.names import AUXILIARY, LAYERS
from recurrence.scorecard import pattern
from recurrence.statistics import Band, Tables, band, per_instance, published_rendering, select
from recurrence.verdicts import CANNOT_TELL, NOT_REPRODUCED, REPRODUCED, TOO_FEW

VERDICTS = {
    REPRODUCED: "yes",
    NOT_REPRODUCED: "no",
    CANNOT_TELL: "unclear",
    TOO_FEW: "unclear",
}  # class names of the page's style


def render(
    template: Path,
    ours: Tables,
    published: Tables,
    scorecard: pd.DataFrame,
    distance: pd.DataFrame,
    figures: Sequence[Path],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write the page as HTML text.

    ``figures`` are PNGs named ``fig<name>.png``; ``provenance`` is what
    :func:`recurrence.storage.provenance` gives.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "limits": limits}
    return environment.get_template(template.name).render(
        run=config["run"]["name"],
        config=yaml.safe_dump({**config}, sort_keys=True, default_flow_style=None, width=100),
        provenance={key: value for key, value in provenance.items() if key != "packages"},
        packages=provenance.get("packages", {}),
        headline=headline(ours.accuracy, published.accuracy),
        counts={verdict: int((scorecard["verdict"] == verdict).sum()) for verdict in VERDICTS},
        verdicts=VERDICTS,
        pattern=pattern(scorecard),
        claims=[
            (claim, text, select(scorecard, claim=claim).to_dict("records"))
            for claim, text in CLAIMS.items()
        ],
        figures=[
            {"name": name, "data": embedded(path), "entry": FIGURES[name]}
            for path in figures
            for name in [path.stem.removeprefix("fig")]
        ],
        tables=[*tables(ours, published), distance_table(distance)],
        unconverged=unconverged(ours.decoding),
    )


def number(value: float, digits: int = 3) -> str:
    """A number for people to read; a dash for nan."""
    return "\u2013" if pd.isna(value) else f"{value:.{digits}f}".replace("-", "\u2212")


def interval(mean: Band, digits: int = 3) -> str:
    """Mean and half-width of the authors' 95 % band, or only the mean for one instance."""
    half = "" if mean.instances < 2 else f" \u00b1 {(mean.high - mean.low) / 2:.{digits}f}"
    return number(mean.mean, digits) + half


def limits(row: Mapping[str, float]) -> str:
    """The limits of a row of the scorecard, as text."""
    lower, upper = row["lower_limit"], row["upper_limit"]
    if np.isnan(upper):
        return f"above {number(lower)}"
    return f"below {number(upper)}" if np.isnan(lower) else f"{number(lower)} to {number(upper)}"


def embedded(path: Path) -> str:
    """A PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def headline(ours: pd.DataFrame, published: pd.DataFrame) -> list[dict[str, Any]]:
    """For each interaction: number of networks, test accuracy on cluttered scenes (%), and the published one."""
    rows = []
    for name, group in select(ours, image="cluttered").groupby("interaction", sort=False):
        ours_band, published_band = (
            band(100 * group["accuracy"]),
            band(100 * select(published, interaction=str(name))["accuracy"]),
        )
        rows.append(
            {
                "interaction": name,
                "instances": ours_band.instances,
                "accuracy": interval(ours_band, 1),
                "published": interval(published_band, 1) if published_band.instances else None,
            }
        )
    return rows


def unconverged(decoding: pd.DataFrame) -> dict[str, int]:
    """How many decoders there are, and how many stopped at the limit of iterations."""
    stopped = int(decoding["unconverged"].sum()) if "unconverged" in decoding else 0
    return {"stopped": stopped, "all": len(decoding)}


Cells = Mapping[tuple[Any, ...], Band]


def _cells(frame: pd.DataFrame, keys: Sequence[str], value: str, factor: float = 1) -> Cells:
    """The band of ``factor`` times ``value`` for each combination of ``keys``."""
    return {
        tuple(key): band(factor * group[value])
        for key, group in frame.groupby(list(keys), sort=False)
    }


def _text(cells: Cells, key: tuple[Any, ...], digits: int = 3) -> str:
    return interval(cells[key], digits) if key in cells else "\u2013"


def tables(ours: Tables, published: Tables) -> list[dict[str, Any]]:
    """The tables of the page: title, note, head and rows, as text."""
    made = [
        accuracy_table(ours, published),
        decoding_table(ours, published),
        importance_table(ours, published),
    ]
    if ours.ablation is not None:
        made.append(ablation_table(ours.ablation))
    if ours.clutter is not None:
        made.append(clutter_table(ours.clutter))
    return [table for table in made if table["rows"]]


def accuracy_table(ours: Tables, published: Tables) -> dict[str, Any]:
    """Test accuracy in per cent by interaction and kind of image."""
    keys = ["interaction", "image"]
    cells = _cells(ours.accuracy, keys, "accuracy", 100)
    reference = _cells(published.accuracy.assign(image="cluttered"), keys, "accuracy", 100)
    return {
        "title": "Test accuracy (%)",
        "note": "Clean scenes show only the target; the networks were trained on cluttered scenes.",
        "head": ["interaction", "scenes", "instances", "accuracy", "published"],
        "text": 2,
        "rows": [
            [*key, str(cells[key].instances), interval(cells[key], 1), _text(reference, key, 1)]
            for key in cells
        ],
    }


def decoding_table(ours: Tables, published: Tables) -> dict[str, Any]:
    """Auxiliary decoding, mean over layers, and category decoding at fc: per cent by timestep."""
    by = ["interaction", "source", "timestep"]

    def cells(decoding: pd.DataFrame) -> dict[str, Cells]:
        accuracies = per_instance(decoding, ["source", "layer", "timestep", "variable"], "accuracy")
        auxiliary = accuracies[accuracies["variable"].isin(AUXILIARY)]
        auxiliary = (
            auxiliary.groupby([*by, "instance"], sort=False)[["accuracy"]].mean().reset_index()
        )
        at_fc = select(accuracies, layer="fc", variable="category", source="activation")
        return {
            "auxiliary": _cells(auxiliary, by, "accuracy", 100),
            "category at fc": _cells(at_fc, by, "accuracy", 100),
        }

    images = ours.decoding["image"].unique() if "image" in ours.decoding else ["cluttered"]
    sets = {str(image): cells(select(ours.decoding, image=image)) for image in images}
    sets["published"] = cells(published.decoding)
    timesteps = sorted(ours.decoding["timestep"].unique())
    rows = [
        [str(interaction), f"{what}, {source.replace('_', ' ')}", label, *texts]
        for interaction in ours.decoding["interaction"].unique()
        for what, source in (
            ("auxiliary", "activation"),
            ("auxiliary", "recurrent_flow"),
            ("category at fc", "activation"),
        )
        for label, bands in sets.items()
        if any((interaction, source, t) in bands[what] for t in timesteps)
        for texts in [[_text(bands[what], (interaction, source, t), 1) for t in timesteps]]
    ]
    return {
        "title": "Linear decoding by timestep (%)",
        "note": "Auxiliary: mean over location, scale and orientation, and over the four layers.",
        "head": ["interaction", "what, from", "scenes", *(f"t = {t}" for t in timesteps)],
        "text": 3,
        "rows": rows,
    }


def importance_table(ours: Tables, published: Tables) -> dict[str, Any]:
    """Functional importance by timestep: ours and, in grey, the published mean."""
    keys = ["interaction", "layer", "timestep", "variable"]
    value = "functional_importance"
    rows = published_rendering(ours.perturbation)
    means, reference = (
        _cells(per_instance(frame, keys[1:], value), keys, value)
        for frame in (rows, published.perturbation)
    )
    timesteps = sorted(rows["timestep"].unique())
    rendering = (
        str(rows["rendering"].iloc[0]) if "rendering" in rows and len(rows) else "as published"
    )

    def texts(interaction: str, layer: str, variable: str) -> Iterator[str]:
        for t in timesteps:
            key = (interaction, layer, t, variable)
            yield _text(means, key)
            yield number(reference[key].mean, 2) if key in reference else "\u2013"

    return {
        "title": "Functional importance",
        "note": f"Rendering of the altered copies: {rendering}. Grey: the published means.",
        "head": [
            "interaction",
            "layer",
            "variable",
            *(text for t in timesteps for text in (f"t = {t}", "")),
        ],
        "text": 3,
        "grey": [4 + 2 * column for column in range(len(timesteps))],
        "rows": [
            [interaction, layer, variable, *texts(interaction, layer, variable)]
            for interaction in rows["interaction"].unique()
            for layer in LAYERS
            for variable in ("location", "orientation", "scale", "category")
        ],
    }


def ablation_table(ablation: pd.DataFrame) -> dict[str, Any]:
    """Accuracy in per cent with and without the fc lateral connection."""
    frame = ablation.assign(lost=ablation["accuracy_intact"] - ablation["accuracy_ablated"])
    columns = ["accuracy_intact", "accuracy_ablated", "lost"]
    return {
        "title": "Ablation of the fc lateral connection (%)",
        "note": "Test accuracy of the trained networks, with and without the connection.",
        "head": ["interaction", "intact", "ablated", "lost"],
        "text": 1,
        "rows": [
            [str(name), *(interval(band(100 * group[column]), 1) for column in columns)]
            for name, group in frame.groupby("interaction", sort=False)
        ],
    }


def clutter_table(clutter: pd.DataFrame) -> dict[str, Any]:
    """Clutter left at the input by timestep."""
    timesteps = sorted(clutter["timestep"].unique())
    columns = {
        "energy_outside": "share of energy outside the target",
        "relative": "relative to t = 1",
    }
    cells = {column: _cells(clutter, ["interaction", "timestep"], column) for column in columns}
    return {
        "title": "Clutter at the input over time",
        "note": "Energy of the input map (sum of squares) outside the target.",
        "head": ["interaction", "what", *(f"t = {t}" for t in timesteps)],
        "text": 2,
        "rows": [
            [str(name), title, *(_text(cells[column], (name, t)) for t in timesteps)]
            for name in clutter["interaction"].unique()
            for column, title in columns.items()
        ],
    }


def distance_table(distance: pd.DataFrame) -> dict[str, Any]:
    """How far each network is from the published means: the rows of distance.csv."""

    def row(values: Mapping[Any, Any]) -> list[str]:
        within = values["within"]
        return [
            str(values["interaction"]),
            str(values["instance"]),
            str(values["quantity"]),
            number(values["mean_absolute_difference"]),
            number(values["published_mean_absolute_difference"]),
            number(values["correlation"]),
            number(values["published_correlation"]),
            number(values["sampling_noise"]),
            "cannot tell" if pd.isna(within) else "yes" if within else "no",
        ]

    return {
        "title": "Distance from the published means",
        "note": "Mean absolute difference and correlation over all published cells, and in grey the worst that a "
        "published network has when it is left out. Noise: what the finite number of test scenes makes "
        "by chance alone.",
        "head": [
            *("interaction", "network", "what", "difference", "published"),
            *("correlation", "published", "noise", "within"),
        ],
        "text": 3,
        "grey": [4, 6],
        "rows": [row(values) for values in distance.to_dict("records")],
    }
