"""The report: what it says, from the published tables in place of ours, and the durations beside it."""

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recurrence.claims import CLAIMS
from recurrence.configuration.blocks import Figures
from recurrence.distance import distances
from recurrence.figure_list import FIGURES
from recurrence.figures import draw, save
from recurrence.machine import describe
from recurrence.pages import WIDEST, interval, number, picture
from recurrence.report.descriptions import DESCRIBED
from recurrence.report.durations import UNKNOWN, durations_page, finished_jobs
from recurrence.report.headline import CENTRAL, answer, parts
from recurrence.report.page import made_with, render
from recurrence.scorecard import score
from recurrence.statistics import Band, load
from recurrence.verdicts import CANNOT_TELL, NO_VERDICT, NOT_REPRODUCED, REPRODUCED, TOO_FEW
from runs import RECORD
from study import ROOT, Study
from test_figures import PUBLISHED, RUNS, make_run

PAGES = ROOT / "workflow/report"
PROVENANCE = {"seed": 7, "git_commit": "abc123-dirty", "packages": {"numpy": "2.4.6"}}


@dataclass
class Made:
    """A report: its file, its text, and the number of rows of the scorecard."""

    path: Path
    text: str
    tests: int
    interactions: list[str]

    @property
    def shown(self) -> str:
        """The text without embedded images."""
        return html.unescape(re.sub(r"base64,\S+\"", '"', self.text))


def make_report(folder: Path, interactions: list[str], instances: int, timesteps: int) -> Made:
    """A finished run's folder with its report, figures and durations."""
    tables = folder / "tables"
    tables.mkdir(parents=True)
    files = make_run(tables, interactions, instances, timesteps)
    figures = [folder / f"figures/fig{name}.png" for name in FIGURES]
    for path in figures:
        options = FIGURES[path.stem.removeprefix("fig")].options
        lacks = options.get("interaction", interactions[0]) not in interactions
        given = {
            k: v for k, v in files.items() if not (lacks and k.endswith(("example", "examples")))
        }
        drawn = draw(
            path.stem.removeprefix("fig"), given, Figures(published=True, examples=3, dpi=200)
        )
        save(drawn, path.with_suffix(".pdf"), path, 200 if instances > 1 else 50)
    ours, published = load(tables), load(PUBLISHED)
    scorecard = score(ours, published, 2_000, 5_000)
    text = render(
        template=PAGES / "report.html.j2",
        ours=ours,
        published=published,
        scorecard=scorecard,
        distance=distances(ours, published, 2_000, 5_000),
        figures=figures,
        files=[path.name for path in tables.glob("*.csv")],
        departures=[],
        config={
            "run": {"name": "a<b", "interactions": interactions},
            "training": {"iterations": 2500},
        },
        provenance=PROVENANCE,
    )
    path = folder / "report.html"
    path.write_text(text)
    write_job(
        folder, "train/multiplicative-1", 600, 1000, rule="train_network", machine="A processor"
    )
    page = durations_page(PAGES / "durations.html.j2", finished_jobs([folder]))
    path.with_name("durations.html").write_text(page)
    return Made(path, text, len(scorecard), interactions)


def write_job(folder: Path, name: str, seconds: float, memory: float, **record: str) -> None:
    """What Snakemake and a finished job leave of it."""
    benchmark, log = folder / f"benchmarks/{name}.tsv", folder / f"logs/{name}.json"
    for path in (benchmark, log):
        path.parent.mkdir(parents=True, exist_ok=True)
    benchmark.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t{memory}\tNA\n")
    if record:
        log.write_text(json.dumps({**RECORD, **record}))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return {name: make_report(tmp_path_factory.mktemp(name), *RUNS[name]) for name in RUNS}


@pytest.fixture(params=RUNS)
def report(reports: dict[str, Made], request: pytest.FixtureRequest) -> Made:
    return reports[request.param]


def test_the_report_is_complete(report: Made) -> None:
    page = report.shown
    for name, entry in FIGURES.items():
        assert f'href="figures/fig{name}.pdf"' in page
        assert f"<b>Figure {name}. {entry.title}.</b> {entry.caption}" in page
    assert all(text in page for text in CLAIMS.values())
    assert CENTRAL in page
    folds = re.findall(r'<details id="claim-.*?</details>', page, re.DOTALL)
    assert len(folds) == len(CLAIMS)
    assert "".join(folds).count('<td class="text"><span class="chip') == report.tests
    for table in report.path.parent.glob("tables/*.csv"):
        assert f'href="tables/{table.name}"' in page
    assert 'href="https://arxiv.org/abs/2111.07898"' in page
    assert "a<b" in page and "a<b" not in report.text
    assert all(text in page for text in ("abc123", "numpy", "2.4.6", "iterations: 2500"))
    assert not re.search(r"\bnan\b|\u22120\.0+\b", page)


def test_the_report_needs_no_other_file_and_no_network(report: Made) -> None:
    page = re.sub(r"<(pre|object)\b.*?</\1>", "", report.shown, flags=re.DOTALL)
    assert all(link.startswith("data:image/webp") for link in re.findall(r'src="([^"]*)"', page))
    assert "<link" not in page.replace('<link rel="icon" href="data:,">', "")
    assert not re.search(r"@import|url\(|fetch\(|<script [^>]*src", page)
    outside = re.findall(r'href="(https?:[^"]*)"', page)
    assert outside == ["https://arxiv.org/abs/2111.07898"]


def test_the_report_is_smaller_than_5_megabytes(reports: dict[str, Made]) -> None:
    assert reports["whole"].path.stat().st_size < 5e6  # its figures have the default dpi


def test_a_picture_keeps_its_pixels_and_is_not_too_wide(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    Image.fromarray(pixels).resize((3 * WIDEST, 300)).save(tmp_path / "wide.png")
    small, wide = (picture(tmp_path / f"{name}.png", name) for name in ("small", "wide"))
    assert (small.width, small.height, small.alt) == (30, 20, "small")
    assert (wide.width, wide.height) == (WIDEST, 100)


def alternatives(report: Made) -> dict[str, str]:
    """The alternative text of each figure."""
    found = re.findall(r'<figure id="fig(\w+)">.*?alt="([^"]*)"', report.text, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def test_every_figure_is_described() -> None:
    undescribed = {entry.function for entry in FIGURES.values()} - DESCRIBED.keys()
    assert not undescribed, "say in recurrence/report/descriptions.py what is seen in these figures"


def test_alternative_texts_say_what_is_seen(reports: dict[str, Made]) -> None:
    texts = alternatives(reports["whole"])
    assert texts.keys() == FIGURES.keys() and len(set(texts.values())) == len(FIGURES)
    perturbation = pd.read_csv(PUBLISHED / "perturbation.csv")
    cell = {"interaction": "multiplicative", "layer": "input", "timestep": 3}
    rows = perturbation[(perturbation[list(cell)] == pd.Series(cell)).all(axis=1)]
    rows = rows[rows["variable"].str.startswith("location")]
    importance = rows["functional_importance"].mean()
    assert f"input, location at t = 3 ({importance:.2f})" in texts["4D"]
    decoding = pd.read_csv(PUBLISHED / "decoding.csv").query(
        "interaction == 'additive' and source == 'activation' and timestep == 4 and variable == 'scale'"
    )
    scales = 100 * decoding.groupby("layer")["accuracy"].mean()
    assert f"to {scales.min():.0f}\u2013{scales.max():.0f} %" in texts["S2A"]
    assert texts["3B"].endswith("In the figure: a 0, recognised; a 1, recognised; a 2, recognised")
    assert "answer: a 3" in texts["4A"]
    assert "multiplicative" not in texts["S2C"]


def test_alternative_texts_say_what_a_run_lacks(reports: dict[str, Made]) -> None:
    texts = alternatives(reports["small"])
    for name in ("3A", "3B", "4A", "4C", "4D"):
        assert "This run has no" in texts[name], texts[name]
    assert "This run has no" not in texts["S2A"]


@pytest.mark.parametrize(
    ("a", "b", "c", "starts"),
    [
        ([REPRODUCED], [REPRODUCED], [REPRODUCED], "This run reproduces it: all of its 3 tests"),
        ([REPRODUCED], [CANNOT_TELL], [REPRODUCED], "This run supports it, but cannot confirm all of it: 2 of its 3"),
        ([REPRODUCED], [NOT_REPRODUCED], [TOO_FEW], "This run reproduces only a part of it: 1 of its 3"),
        ([NOT_REPRODUCED], [NOT_REPRODUCED], [], "This run does not reproduce it: 0 of its 2"),
        ([TOO_FEW], [CANNOT_TELL], [], "This run cannot tell. The networks were trained too little"),
        ([], [], [], "This run does not test it."),
    ],
)  # fmt: skip
def test_the_verdict_on_the_central_claim(
    a: list[str], b: list[str], c: list[str], starts: str
) -> None:
    claims = {"a": a, "b": b, "c": c, "e": [NOT_REPRODUCED]}
    rows = [(claim, verdict) for claim, verdicts in claims.items() for verdict in verdicts]
    judged = parts(pd.DataFrame(rows, columns=["claim", "verdict"]))
    assert answer(judged).startswith(starts)
    assert [part.tests for part in judged] == [len(a), len(b), len(c)]


def test_the_first_screen_of_the_published_networks(reports: dict[str, Made]) -> None:
    page = " ".join(reports["whole"].shown.split())
    accuracy = pd.read_csv(PUBLISHED / "accuracy.csv").groupby("interaction")["accuracy"].mean()
    for name in ("multiplicative", "additive"):
        assert f"<td><b>{100 * accuracy[name]:.1f} \u00b1" in page
    assert page.count("<small>5 networks</small>") == 2
    assert re.search(r"distance, decoding</th> <td><b>0\.01\d</b> <small>\(up to 0\.01", page)
    assert "1 network<" in reports["small"].shown


def test_the_first_lines_say_where_a_run_departs_from_the_papers_design(tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    make_run(tables, ["additive"], 2, 3)
    ours, published = load(tables), load(PUBLISHED)
    scorecard = score(ours, published, 2_000, 5_000, comparable=False)
    text = render(
        template=PAGES / "report.html.j2",
        ours=ours,
        published=published,
        scorecard=scorecard,
        distance=distances(ours, published, 2_000, 5_000).iloc[:0],
        figures=[],
        files=[],
        departures=["network.timesteps", "scenes.clutter"],
        config={"run": {"name": "other", "interactions": ["additive"]}},
        provenance=PROVENANCE,
    )
    page = " ".join(html.unescape(text).split())
    overview = page.split('id="claims"')[0]
    assert "it departs from it in network.timesteps and scenes.clutter" in overview
    assert not re.search(r"0 of \d+ tests", overview)
    judged = re.sub(
        r"<summary>.{0,20}How a test is judged.*?</details>", "", page.split("<body")[1]
    )
    assert not re.search(r'chip (yes|no)"', judged)
    assert len(scorecard) and judged.count(NO_VERDICT) >= len(scorecard)
    numbers = overview.split('class="numbers"')[1]
    assert "test accuracy" in numbers and "(" not in re.sub(
        "<caption>.*?</caption>", "", numbers
    ).replace("(%)", "")
    assert "published, t = 2" not in page and "<td>published</td>" not in page


def test_provenance_says_whether_changes_were_committed() -> None:
    changes = {
        commit: made_with({"git_commit": commit, "seed": 1})["uncommitted changes"]
        for commit in ("abc", "abc-dirty", "unknown")
    }
    assert changes["abc"] == "none" and changes["abc-dirty"] == "yes"
    assert changes["unknown"].startswith("unknown")


def test_durations_are_those_of_all_jobs_by_rule_and_machine(tmp_path: Path) -> None:
    train, figure = {"rule": "train_network", "machine": "M1"}, {"rule": "figure", "machine": "M2"}
    write_job(tmp_path, "train/additive-1", 100, 900, **train)
    write_job(tmp_path, "train/additive-2", 140, 1100, **train)
    write_job(tmp_path, "figures/fig1", 3, 50, **figure)
    write_job(tmp_path, "tables", 1, 40)  # as versions before left it, without a machine
    write_job(tmp_path, "report", 999, 40, rule="report", machine="M1")
    (tmp_path / "logs/tables.json").write_text("[1, 2]")
    (tmp_path / "benchmarks/scenes.tsv").touch()  # the power failed
    page = durations_page(PAGES / "durations.html.j2", finished_jobs([tmp_path]))
    rows = re.findall(r'<th scope="row" class="text">(\w+)</th>(.*?)</tr>', page, re.DOTALL)
    cells = {rule: re.findall(r"<td[^>]*>(.*?)</td>", text) for rule, text in rows}
    assert [*cells] == ["train_network", "figure", "tables"]
    assert cells["train_network"] == ["2", "4 min", "2 min", "1,100 MB"]
    assert all(text in page for text in ("<b>M1</b>: 2 jobs", "<b>M2</b>: 1 job<", UNKNOWN))
    assert "All jobs together took 4 min" in page


def test_the_machine_in_words() -> None:
    words = describe()
    assert re.search(r", \d+ cores", words) and "unknown" not in words


def test_a_run_made_again_has_the_same_report(finished: Study) -> None:
    folder = finished.folder / "results/tiny"
    page, durations = (folder / f"{name}.html" for name in ("report", "durations"))
    before = page.read_bytes()
    benchmark = folder / "benchmarks/tables.tsv"
    table = benchmark.read_text()
    try:
        benchmark.write_text(re.sub(r"\n[\d.]+\t", "\n5000\t", table))
        result = finished.snakemake("--forcerun", "report")
        assert result.returncode == 0, result.stdout + result.stderr
        assert page.read_bytes() == before
        assert "83 min" in durations.read_text()
        assert describe().split(", Linux")[0] in durations.read_text()
    finally:
        benchmark.write_text(table)
    jobs = finished_jobs(
        [finished.folder / "data/sample", finished.folder / "data/sample/scenes/standard", folder]
    )
    assert {"shards", "scenes", "train_network", "decode_network", "figure"} <= {
        job.rule for job in jobs
    }


def test_numbers_for_people() -> None:
    assert number(-0.0123) == "\u22120.012"
    assert number(-0.0001) == "0.000"
    assert number(float("nan")) == "\u2013"
    assert interval(Band(0.5, 0.4, 0.6, 5), 2) == "0.50 \u00b1 0.10"
    assert interval(Band(0.5, float("nan"), float("nan"), 1), 2) == "0.50"
