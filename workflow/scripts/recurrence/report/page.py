"""The report of a run, one self-contained page: the central claim, claims, figures, tables, provenance.

The page needs no other file. It links to the files of the run, and shows the durations of its jobs if they lie beside
it (:mod:`recurrence.report.durations`). It has no dates. Imports no torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from recurrence.claims import CLAIMS
from recurrence.design import stated
from recurrence.figure_list import FIGURES, Entry
from recurrence.pages import Picture, Table, filled, picture
from recurrence.report.descriptions import Seen, description
from recurrence.report.headline import CENTRAL, answer, numbers, parts
from recurrence.report.tables import claim_table, tables
from recurrence.statistics import Tables, select
from recurrence.verdicts import (
    CANNOT_TELL,
    NO_VERDICT,
    NOT_REPRODUCED,
    REPRODUCED,
    SHORT_OF_TRAINING,
    TOO_FEW,
    WORST_FIRST,
)

# Classes of the style sheet.
STYLES = {REPRODUCED: "yes", NOT_REPRODUCED: "no"}
STYLES |= dict.fromkeys((CANNOT_TELL, TOO_FEW, NO_VERDICT), "unclear")
FIRST = ("4D", "S2C")  # the figure of the first screen: the first one whose networks the run has
WHOLE = {"distance": "the whole pattern", "numbers": "the published numbers"}  # no single claims
DURATIONS = "durations.html"
FILES = {
    "accuracy.csv": "test accuracy of each network",
    "decoding.csv": "accuracy of each linear decoder",
    "perturbation.csv": "accuracy and functional importance of each perturbation",
    "ablation.csv": "test accuracy without connections",
    "ablation_over_time.csv": "the same, if the output layer sees fc only up to a timestep",
    "clutter.csv": "clutter left at the input over time",
    "answers.csv": "accuracy and confidence by what the output layer sees of fc",
    "renderings.csv": "importance that the compounded copies lose",
    "training.csv": "the training curves",
    "scorecard.csv": "each test of the claims, with its rule",
    "distance.csv": "how far each network is from the published ones",
    "scene_decoding.csv": "decoding from the scenes themselves",
    "categories.csv": "the names of the categories",
    "parameters.csv": "names, shapes and costs of the parameters of networks",
}


@dataclass(frozen=True)
class Shown:
    """A figure of the page."""

    name: str
    entry: Entry
    picture: Picture


@dataclass(frozen=True)
class Claim:
    """A claim of the scorecard: how many of its tests are reproduced, the other verdicts, and its rows."""

    name: str
    text: str
    style: str
    share: str
    others: str
    table: Table
    rules: Sequence[str]


def render(
    template: Path,
    ours: Tables,
    published: Tables,
    scorecard: pd.DataFrame,
    distance: pd.DataFrame,
    figures: Sequence[Path],
    files: Sequence[str],
    departures: Sequence[str],
    config: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> str:
    """Write the page as HTML text.

    ``figures`` are PNGs named ``fig<name>.png``; ``files`` are the names of the run's tables; ``departures`` are
    the keys in which the run departs from the paper's design; ``provenance`` is what
    :func:`recurrence.storage.provenance` gives. A run that departs is not shown beside the published networks.
    """
    if departures:
        frames = (published.accuracy, published.decoding, published.perturbation)
        published = Tables(*(frame.iloc[:0] for frame in frames))
    shown = embedded(figures, Seen(ours, distance))
    judged = parts(scorecard)
    return filled(
        template,
        run=config["run"]["name"],
        central=CENTRAL,
        central_parts=judged,
        answer=stated(departures) or answer(judged),
        first=first(shown, config["run"].get("interactions", ())),
        numbers=numbers(ours.accuracy, published.accuracy, scorecard),
        styles=STYLES,
        short=f"{100 * SHORT_OF_TRAINING:.0f}",
        claims=claims(scorecard),
        figures=shown,
        files={name: FILES.get(name, "") for name in sorted(files)},
        tables=tables(ours, published, distance),
        durations=DURATIONS,
        provenance=made_with(provenance),
        config=yaml.safe_dump(
            {**config}, sort_keys=True, default_flow_style=None, width=100, allow_unicode=True
        ),
    )


def embedded(figures: Sequence[Path], seen: Seen) -> list[Shown]:
    """The figures with their titles, captions and alternative texts."""
    names = [path.stem.removeprefix("fig") for path in figures]
    return [
        Shown(name, FIGURES[name], picture(path, description(path, FIGURES[name], seen)))
        for name, path in zip(names, figures, strict=True)
    ]


def first(figures: Sequence[Shown], interactions: Sequence[str]) -> Shown | None:
    """The figure of the first screen; None if the run has networks for none of :data:`FIRST`."""
    for name in FIRST:
        for figure in figures:
            if figure.name == name and figure.entry.options["interaction"] in interactions:
                return figure
    return None


def claims(scorecard: pd.DataFrame) -> list[Claim]:
    """All claims of the scorecard with their tests."""
    made = []
    for name, text in CLAIMS.items():
        rows = select(scorecard, claim=name).to_dict("records")
        verdicts = [row["verdict"] for row in rows]
        done, judged = verdicts.count(REPRODUCED), len(rows) - verdicts.count(NO_VERDICT)
        style = STYLES[min(verdicts, key=WORST_FIRST.index, default=CANNOT_TELL)]
        counts = {verdict: verdicts.count(verdict) for verdict in STYLES if verdict != REPRODUCED}
        others = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        made.append(
            Claim(
                name,
                text,
                style,
                share=f"{done} of {judged}" if judged else NO_VERDICT if rows else "not tested",
                others=others if rows else "this run has no data for it",
                table=claim_table(f"Tests of {WHOLE.get(name, f'claim {name}')}", rows, STYLES),
                rules=[*dict.fromkeys(row["criterion"] for row in rows)],
            )
        )
    return made


def made_with(provenance: Mapping[str, Any]) -> dict[str, str]:
    """The commit and whether files had changed since, the seed, and the versions of packages."""
    commit = str(provenance["git_commit"])
    changes = {"uncommitted changes": "yes" if commit.endswith("-dirty") else "none"}
    if commit == "unknown":
        changes = {"uncommitted changes": "unknown: the project is not a git checkout"}
    packages = provenance.get("packages", {})
    return {
        "git commit": commit.removesuffix("-dirty"),
        **changes,
        "seed": str(provenance["seed"]),
        **packages,
    }
