"""README and docs/results.md have the numbers of the tables in docs/results/quick."""

from collections.abc import Callable
from pathlib import Path

import pytest

from recurrence.distance import QUANTITIES, distances
from recurrence.names import AUXILIARY, PUBLISHED_INTERACTIONS
from recurrence.statistics import Evidence, Tables, load
from recurrence.storage import read_table

ROOT = Path(__file__).parents[1]
QUICK = ROOT / "docs/results/quick"
RUN, PUBLISHED = load(QUICK), load(ROOT / "data/published")
DISTANCES = distances(RUN, PUBLISHED, scored=200, perturbed=200)

Measure = Callable[[Evidence], float]


def joined(values: list[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def percent(tables: Tables, measure: Measure) -> str:
    evidence = [Evidence.of(tables, each) for each in PUBLISHED_INTERACTIONS]
    return f"{joined([100 * measure(each) for each in evidence], 1)} %"


def importance(tables: Tables, layer: str, interaction: str) -> str:
    evidence = Evidence.of(tables, interaction)
    return joined([evidence.important(layer, "location", t).mean for t in (2, 3, 4)], 2)


def distance(quantity: str) -> list[str]:
    """The smallest and the largest of the run, and the largest of a published network, of both interactions."""
    rows = [
        DISTANCES[DISTANCES["quantity"].eq(quantity) & DISTANCES["interaction"].eq(each)]
        for each in PUBLISHED_INTERACTIONS
    ]
    ours = [each["mean_absolute_difference"] for each in rows]
    theirs = [each["published_mean_absolute_difference"].iloc[0] for each in rows]
    ranges = [f"{each.min():.3f} to {each.max():.3f}" for each in ours]
    return [" and ".join(ranges), " and ".join(f"up to {each:.3f}" for each in theirs)]


def fc(t: int) -> Measure:
    return lambda evidence: evidence.decoded("activation", "fc", "category", t).mean


BOTH = (RUN, PUBLISHED)
TYPES = "multiplicative and additive"
ROWS = {f"test accuracy, {TYPES}": [percent(each, lambda e: e.accuracy.mean) for each in BOTH]}
ROWS |= {
    f"importance of location at {place}, {interaction}, t = 2, 3, 4": [
        importance(each, layer, interaction) for each in BOTH
    ]
    for place, layer in (("the input", "input"), ("conv1", "conv1"))
    for interaction in PUBLISHED_INTERACTIONS
}
FURTHER = {
    f"mean difference of {quantity} from the published mean, {TYPES}": distance(quantity)
    for quantity in QUANTITIES
} | {
    f"category decoded from fc, t = {t}, {TYPES}": [percent(each, fc(t)) for each in BOTH]
    for t in (1, 2, 3, 4)
}


def scene_decoding() -> str:
    table = read_table(QUICK / "scene_decoding.csv")
    grouped = table.assign(variable=table["variable"].str.replace("_.*", "", regex=True))
    means = grouped.groupby("variable")["accuracy"].mean()
    return f"{joined([100 * means[each] for each in ('category', *AUXILIARY)], 1)} %"


def clutter() -> str:
    evidence = [Evidence.of(RUN, each) for each in PUBLISHED_INTERACTIONS]
    return joined([each.clutter_left(4).mean for each in evidence], 2)


@pytest.mark.parametrize(
    ("page", "rows"), [("README.md", ROWS), ("docs/results.md", ROWS | FURTHER)]
)
def test_pages_have_the_numbers_of_the_tables(page: str, rows: dict[str, list[str]]) -> None:
    text = (ROOT / page).read_text("utf-8")
    lines = [f"| {' | '.join([name, *cells])} |" for name, cells in rows.items()]
    assert [line for line in lines if line not in text] == []


def test_the_page_has_the_other_numbers_too() -> None:
    text = (ROOT / "docs/results.md").read_text("utf-8")
    assert f"| {clutter()} | pictures only |" in text
    assert f"| {scene_decoding()} | 6.6, 66.4, 56.8, 53.4 % |" in text
    scorecard = read_table(QUICK / "scorecard.csv")
    judged = scorecard[~scorecard["verdict"].str.contains("no verdict")]
    reproduced = judged["verdict"].eq("reproduced").sum()
    assert f"{reproduced} of {len(judged)} tests" in " ".join(text.split())
