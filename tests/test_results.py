"""The pages have the numbers of the tables in docs/results, and these are scored by today's rules."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from recurrence.configuration.problems import check, layered
from recurrence.distance import QUANTITIES, distances
from recurrence.names import AUXILIARY, PUBLISHED_INTERACTIONS
from recurrence.scorecard import score, summary
from recurrence.statistics import Evidence, Tables, load
from recurrence.storage import read_table

ROOT = Path(__file__).parents[1]
RUNS = [ROOT / "docs/results" / name for name in ("quick", "overnight")]
TABLES = [load(folder) for folder in (*(run / "tables" for run in RUNS), ROOT / "data/published")]
PRESETS = ["config.yaml", "workflow/presets/overnight.yaml"]
PAGES = ["docs/results.md", "docs/results/overnight/README.md"]  # what says what the runs find
# The numbers of scenes count only for the noise, which is not shown.
DISTANCES = [distances(run, TABLES[-1], scored=200, perturbed=200) for run in TABLES[:-1]]
TYPES = "multiplicative and additive"

Measure = Callable[[Evidence], float]


def joined(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:z.{digits}f}" for value in values)  # z: no -0.00


def percent(tables: Tables, measure: Measure) -> str:
    evidence = [Evidence.of(tables, each) for each in PUBLISHED_INTERACTIONS]
    return f"{joined([100 * measure(each) for each in evidence], 1)} %"


def importance(tables: Tables, layer: str, interaction: str) -> str:
    evidence = Evidence.of(tables, interaction)
    return joined([evidence.important(layer, "location", t).mean for t in (2, 3, 4)], 2)


def fc(t: int) -> Measure:
    return lambda evidence: evidence.decoded("activation", "fc", "category", t).mean


def clutter(tables: Tables) -> str:
    evidence = [Evidence.of(tables, each) for each in PUBLISHED_INTERACTIONS]
    return joined([each.clutter_left(4).mean for each in evidence], 2)


def scene_decoding(run: Path) -> str:
    table = read_table(run / "tables/scene_decoding.csv")
    grouped = table.assign(variable=table["variable"].str.replace("_.*", "", regex=True))
    means = grouped.groupby("variable")["accuracy"].mean()
    return f"{joined([100 * means[each] for each in ('category', *AUXILIARY)], 1)} %"


def distance(quantity: str) -> list[str]:
    """The smallest and the largest of each run, and the largest of a published network, of both interactions."""
    published = per_interaction(DISTANCES[0], quantity, "published_mean_absolute_difference", "max")
    return [
        *(distance_of(each, quantity) for each in DISTANCES),
        " and ".join(f"up to {each:.3f}" for each in published),
    ]


def distance_of(run: pd.DataFrame, quantity: str) -> str:
    ends = [
        per_interaction(run, quantity, "mean_absolute_difference", end) for end in ("min", "max")
    ]
    return " and ".join(
        f"{low:.3f}" + (f" to {high:.3f}" if low < high else "")
        for low, high in zip(*ends, strict=True)
    )


def per_interaction(run: pd.DataFrame, quantity: str, column: str, end: str) -> list[float]:
    """The ``end`` ("min" or "max") of a column over the networks of each interaction."""
    grouped = run[run["quantity"].eq(quantity)].groupby("interaction", sort=False)
    return grouped[column].agg(end).tolist()


ROWS = {f"test accuracy, {TYPES}": [percent(each, lambda e: e.accuracy.mean) for each in TABLES]}
ROWS |= {
    f"importance of location at {place}, {interaction}, t = 2, 3, 4": [
        importance(each, layer, interaction) for each in TABLES
    ]
    for place, layer in (("the input", "input"), ("conv1", "conv1"))
    for interaction in PUBLISHED_INTERACTIONS
}
FURTHER = {
    f"mean difference of {quantity} from the published mean, {TYPES}": distance(quantity)
    for quantity in QUANTITIES
}
FURTHER |= {
    f"category decoded from fc, t = {t}, {TYPES}": [percent(each, fc(t)) for each in TABLES]
    for t in (1, 2, 3, 4)
}
FURTHER |= {
    f"clutter left at the input at t = 4 (t = 1 is 1), {TYPES}": [
        *(clutter(each) for each in TABLES[:-1]),
        "pictures only",
    ],
    "decoding from the scenes themselves: category, location, scale, orientation": [
        *(scene_decoding(run) for run in RUNS),
        "6.6, 66.4, 56.8, 53.4 %",
    ],
}


@pytest.mark.parametrize(
    ("page", "rows"), [("README.md", ROWS), ("docs/results.md", ROWS | FURTHER)]
)
def test_pages_have_the_numbers_of_the_tables(page: str, rows: dict[str, list[str]]) -> None:
    text = (ROOT / page).read_text("utf-8")
    lines = [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    assert [line for line in lines if line not in text] == []


@pytest.mark.parametrize(("run", "preset"), list(zip(RUNS, PRESETS, strict=True)))
def test_the_scorecard_is_that_of_todays_rules(run: Path, preset: str) -> None:
    config = check(layered([ROOT / "config.yaml", *ROOT.glob(preset)]))
    scenes = config.decoding.scenes - config.decoding.fit, config.perturbation.scenes
    rows = score(load(run / "tables"), TABLES[-1], *scenes)
    kept = read_table(run / "tables/scorecard.csv")
    pd.testing.assert_frame_equal(rows, kept, check_dtype=False, rtol=1e-4)
    lines = summary(rows, load(run / "tables").accuracy, run.name, [])
    assert lines == (run / "scorecard.txt").read_text("utf-8")


@pytest.mark.parametrize(("run", "page"), list(zip(RUNS, PAGES, strict=True)))
def test_the_page_counts_the_tests_that_are_reproduced(run: Path, page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    verdicts = read_table(run / "tables/scorecard.csv")["verdict"]
    judged = verdicts[~verdicts.str.contains("no verdict")]
    reproduced = judged.eq("reproduced").sum()
    assert f"{reproduced} of {len(judged)} tests" in " ".join(text.split())
