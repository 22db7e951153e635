"""Error rates of the scorecard: its verdicts on random tables.

    PYTHONPATH=workflow/scripts:tests .venv/bin/python -m simulate_scorecard 200

draws this number of sets of tables for each situation (or those named after the number), number of
networks and size of the experiment. It prints how often rows of each kind were reproduced, in per cent:
the mean over rows, and in brackets the lowest and the highest row; "pattern" is the summary's sentence about the whole
pattern. docs/statistics.md has these tables.

* published: networks like the published ones, with their means, variances and covariances.
* nothing: no effect anywhere. Decoding is at chance, importance is 0, clutter stays.
* limit: all effects, claimed or absent, are exactly as large as the smallest effect that counts.
* shifted: every published number is off by its margin.
* rejected: networks like the published ones again, and how often rows are not reproduced.

In the middle three, networks differ from each other as the published ones do.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binom

from recurrence import claims
from recurrence.distance import PUBLISHED_SCENES
from recurrence.names import CHANCE, GROUPS, PUBLISHED_INTERACTIONS
from recurrence.scorecard import SMALLEST_ACCURACY, SMALLEST_DECODING, pattern, score
from recurrence.statistics import Evidence, Tables, load
from recurrence.verdicts import NOT_REPRODUCED, REPRODUCED, Spread, agreement

PUBLISHED = load(Path(__file__).parent.parent / "data" / "published")
ABSENCES = ("e: importance at fc", "e: accuracy lost", "f: additive")  # what no effect fulfils
SITUATIONS = ("published", "nothing", "limit", "shifted", "rejected")
NETWORKS = (1, 2, 5)
WHOLE = ("pattern", "all cells")
SENTENCES = ("The pattern is the published one", "The pattern is NOT the published one")
# Scenes behind one value: of decoding (all repeats), perturbation (all repeats) and accuracy.
SIZES = {"quick": (400, 200, 2_000), "paper": (2_000, 5_000, 10_000)}
# Of the scenes, this share is right under one of two perturbations by accident, and as many under the other.
CHURN = {"fc": 0.005}
OTHER_CHURN = 0.03
CLUTTER = {
    "multiplicative": 0.70,
    "additive": 0.98,
}  # what is left, in networks that reproduce the paper
Floats = npt.NDArray[np.float64]


def networks(table: pd.DataFrame, count: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Means (cells,) of a published table and deviations (cells, count) of as many new networks.

    The deviations are random sums of the published networks' own: Gaussian, with their covariances.
    """
    values = table.to_numpy(dtype=np.float64)
    mean = values.mean(axis=1)
    weights = random.normal(size=(values.shape[1], count)) / np.sqrt(values.shape[1] - 1)
    return mean, (values - mean[:, None]) @ weights


def counted(probability: Floats, scenes: int, random: np.random.Generator) -> Floats:
    """Shares (cells, networks) of right answers on ``scenes`` that all networks share, so that luck does too."""
    luck = random.random((len(probability), 1))
    return np.asarray(binom.ppf(luck, scenes, probability.clip(0, 1))) / scenes


def long(cells: pd.DataFrame, interaction: str, **columns: Floats) -> pd.DataFrame:
    """A tidy table of ``columns`` (cells, networks)."""
    count = next(iter(columns.values())).shape[1]
    index = cells.index.to_frame(index=False)
    frames = [
        index.assign(
            interaction=interaction,
            instance=k + 1,
            **{name: values[:, k] for name, values in columns.items()},
        )
        for k in range(count)
    ]
    return pd.concat(frames, ignore_index=True)


def wide(table: pd.DataFrame, interaction: str, keys: list[str], value: str) -> pd.DataFrame:
    rows = table[table["interaction"] == interaction]
    return rows.pivot_table(index=keys, columns="instance", values=value)


def read_outs(
    situation: str, interaction: str, count: int, scenes: int, random: np.random.Generator
) -> pd.DataFrame:
    cells = wide(
        PUBLISHED.decoding, interaction, ["source", "layer", "timestep", "variable"], "accuracy"
    )
    mean, deviations = networks(cells, count, random)
    variables = cells.index.get_level_values("variable").to_series().replace(GROUPS)
    chance = variables.map(CHANCE).to_numpy()
    if situation == "nothing":
        mean = chance
    if situation == "limit":  # grows by the limit; the first timestep is at chance
        timestep = cells.index.get_level_values("timestep").to_numpy()
        mean = chance + claims.SMALLEST_GROWTH * (timestep == 4)
    if situation == "shifted":
        theirs = Evidence.of(PUBLISHED, interaction, *PUBLISHED_SCENES.values())
        variable = cells.index.get_level_values("variable")
        mean = mean - np.where(variable == "category", 0.0, SMALLEST_ACCURACY)
        for row, (source, layer, t, name) in enumerate(cells.index):
            if (source, layer, name) == ("activation", "fc", "category"):
                number = theirs.decoded(source, layer, name, t)
                mean[row] -= agreement(number, SMALLEST_DECODING, CHANCE[name]).margin
    return long(cells, interaction, accuracy=counted(mean[:, None] + deviations, scenes, random))


def perturbations(
    situation: str, interaction: str, count: int, scenes: int, random: np.random.Generator
) -> pd.DataFrame:
    cells = wide(
        PUBLISHED.perturbation,
        interaction,
        ["layer", "timestep", "variable"],
        "functional_importance",
    )
    mean, deviations = networks(cells, count, random)
    layer = cells.index.get_level_values("layer")
    variable = cells.index.get_level_values("variable")
    if situation == "nothing":
        mean = np.zeros(len(cells))
    if situation == "shifted":
        theirs = Evidence.of(PUBLISHED, interaction, *PUBLISHED_SCENES.values())
        numbers = [theirs.important(name, GROUPS.get(v, v), t) for name, t, v in cells.index]
        mean = mean - [agreement(each, claims.SMALLEST_IMPORTANCE).margin for each in numbers]
    if situation == "limit":
        mean = np.full(len(cells), claims.SMALLEST_IMPORTANCE)
        within = (variable == "category_within") & (layer != "fc")
        mean[within] = 0.3 + claims.SMALLEST_DIFFERENCE
        mean[(variable == "category_between") & (layer != "fc")] = 0.3
    original = 0.81
    gap = (mean[:, None] + deviations) * original
    churn = np.array([CHURN.get(name, OTHER_CHURN) for name in layer])[:, None]
    control = counted(churn + gap.clip(min=0), scenes, random)
    systematic = counted(churn + (-gap).clip(min=0), scenes, random)
    right = np.full_like(control, original)
    return long(
        cells,
        interaction,
        accuracy_original=right,
        functional_importance=(control - systematic) / original,
        control_only=control * scenes,
        systematic_only=systematic * scenes,
        control_only_original=0.9 * control * scenes,
        systematic_only_original=0.5 * systematic * scenes,
    ).assign(n=scenes, rendering="compounded")


def accuracies(
    situation: str, interaction: str, count: int, scenes: int, random: np.random.Generator
) -> pd.DataFrame:
    cells = wide(PUBLISHED.accuracy, interaction, ["interaction"], "accuracy")
    mean, deviations = networks(cells, count, random)
    # Never so low that rows count as too few iterations: the tests themselves are measured.
    mean = mean - (0 if situation == "published" else SMALLEST_ACCURACY)
    values = counted(mean[:, None] + deviations, scenes, random)
    return long(cells.rename_axis("group"), interaction, accuracy=values).assign(
        image="cluttered", n=scenes
    )


def by_network(interaction: str, values: Floats, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"interaction": interaction, "instance": range(1, len(values) + 1)}).assign(
        **columns
    )


def others(
    situation: str, interaction: str, count: int, scenes: int, random: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ablation and clutter: the networks differ as claims assumes."""

    def draw(mean: float, spread: Spread) -> Floats:
        return mean + spread.deviation * random.normal(size=count)

    loss = draw(claims.SMALLEST_LOSS if situation != "published" else 0.0, claims.LOSS_SPREAD)
    churn = 0.01
    lost = counted(churn + loss[None].clip(min=0), scenes, random)[0]
    won = counted(churn + (-loss[None]).clip(min=0), scenes, random)[0]
    ablation = by_network(
        interaction,
        loss,
        n=scenes,
        accuracy_intact=0.8,
        accuracy_ablated=0.8 - lost + won,
        intact_only=lost * scenes,
        ablated_only=won * scenes,
    )
    left = CLUTTER[interaction] if situation == "published" else 1.0
    if situation == "limit" or (situation != "published" and interaction == "additive"):
        left = 1 - claims.SMALLEST_REDUCTION
    last = by_network(interaction, loss, timestep=4, relative=draw(left, claims.CLUTTER_SPREAD))
    return ablation, pd.concat([last, last.assign(timestep=1, relative=1.0)])


def tables(situation: str, count: int, size: str, random: np.random.Generator) -> Tables:
    """Draw the tables of ``count`` networks of each interaction."""
    scored, perturbed, tested = SIZES[size]
    parts = [
        (
            accuracies(situation, name, count, tested, random),
            read_outs(situation, name, count, scored, random),
            perturbations(situation, name, count, perturbed, random),
            *others(situation, name, count, tested, random),
        )
        for name in PUBLISHED_INTERACTIONS
    ]
    return Tables(*(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True)))


def kind(row: pd.Series) -> str:
    """What rows are counted together: a claim, and within it what is measured."""
    quantity = str(row["quantity"])
    for word in ("growth", "lowest", "importance at fc", "accuracy lost", "test accuracy"):
        if word in quantity:
            return f"{row['claim']}: {word}"
    if row["claim"] == "numbers":
        return "numbers: " + ("importance" if "importance" in quantity else "decoding")
    if row["claim"] == "distance":
        return "distance: " + quantity.rsplit(", ", 1)[1]
    return f"{row['claim']}: {row['interaction']}" if row["claim"] == "f" else str(row["claim"])


def rates(
    situation: str, count: int, size: str, draws: int, seed: int = 1
) -> tuple[dict[tuple[str, str], float], dict[str, str]]:
    """The share of ``draws`` in which each row (interaction, quantity) was reproduced, and each row's kind.

    If the situation is ``rejected`` it is the share in which a row was not reproduced.
    The layer, variable or timestep that a row of a claim shows may change with the draw: they count as one row.
    """
    random = np.random.default_rng([seed, SITUATIONS.index(situation), count, len(size)])
    hits: Counter[tuple[str, str]] = Counter()
    kinds = {}
    for _ in range(draws):
        scored, perturbed, _ = SIZES[size]
        drawn = tables("published" if situation == "rejected" else situation, count, size, random)
        rows = score(drawn, PUBLISHED, scored, perturbed)
        kinds[WHOLE] = "pattern"
        hits[WHOLE] += pattern(rows).startswith(SENTENCES[situation == "rejected"])
        for _, row in rows.iterrows():
            name = (str(row["interaction"]), str(row["quantity"]).split(" (")[0])
            if row["claim"] in ("c", "numbers"):
                name = (name[0], str(row["quantity"]))
            name = (f"{row['claim']} {name[0]}", name[1])
            hits[name] += row["verdict"] == (
                NOT_REPRODUCED if situation == "rejected" else REPRODUCED
            )
            kinds[name] = kind(row)
    return {
        name: number / draws
        for name, number in hits.items()
        if is_judged(situation, kinds[name], name[1])
    }, kinds


def is_judged(situation: str, kind: str, quantity: str) -> bool:
    """Whether the rows of a kind are false if they come out as reproduced, or right if all is as published."""
    if situation in ("published", "rejected"):
        return True
    absent = kind in ABSENCES
    if situation == "nothing":
        return not absent and not kind.startswith("numbers")
    if situation == "shifted":
        return kind.startswith("numbers")
    if kind == "d" and "category" in quantity:
        return False  # it is large, so that between and within can differ
    return not kind.startswith(("numbers", "distance"))


def main(draws: int, chosen: list[str]) -> None:
    lines: dict[str, dict[str, str]] = {}
    for situation in chosen or SITUATIONS:
        for size in SIZES:
            for count in NETWORKS:
                rows, kinds = rates(situation, count, size, draws)
                for name in sorted({kinds[row] for row in rows}):
                    each = [rate for row, rate in rows.items() if kinds[row] == name]
                    text = (
                        f"{100 * np.mean(each):.1f} ({100 * min(each):.1f}-{100 * max(each):.1f})"
                    )
                    lines.setdefault(f"{situation:<10} {name}", {})[f"{size} {count}"] = text
    print(pd.DataFrame(lines).T.to_string())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
