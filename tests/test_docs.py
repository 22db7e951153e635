"""The pages: links, cited sections, versions, and the published numbers."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from recurrence.names import AUXILIARY, LAYERS, PUBLISHED_INTERACTIONS
from recurrence.statistics import Evidence, load
from study import Study

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "data/published/*.md", "tests/**/*.md")
    for page in ROOT.glob(pattern)
)
SOURCES = sorted(
    path
    for pattern in ("Snakefile", "Makefile", "*.yaml", "*.toml", "tests/**/*", "workflow/**/*")
    for path in ROOT.glob(pattern)
    if path.suffix in ("", ".py", ".smk", ".yaml", ".toml", ".sh", ".j2") and path.is_file()
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
PAGE = re.compile(r"\bdocs/(\w+\.md)(?: (\d+))?")


def text_of(page: Path) -> str:
    """A page without its code blocks."""
    return FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    headings = HEADING.findall(text_of(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"\w+:", link):  # on another site
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_index() -> None:
    index = text_of(ROOT / "docs/README.md")
    listed = {link.partition("#")[0] for link in LINK.findall(index)}
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= listed


def test_the_code_cites_pages_and_sections_that_exist() -> None:
    sections = set(re.findall(r"^## (\d+)\.", (ROOT / "docs/experiment.md").read_text(), re.M))
    cited = {
        (path.relative_to(ROOT), page, section)
        for path in SOURCES
        for page, section in PAGE.findall(path.read_text("utf-8"))
    }
    assert cited
    for path, page, section in cited:
        assert (ROOT / "docs" / page).exists(), f"{path} cites docs/{page}"
        if page == "experiment.md" and section:
            assert section in sections, f"{path} cites section {section} of docs/{page}"


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert project == citation == released[0]


def test_the_published_numbers_are_those_of_the_tables() -> None:
    """The table of docs/experiment.md 6, a column for each interaction."""
    published = load(ROOT / "data/published")
    columns: list[list[str]] = []
    for interaction in PUBLISHED_INTERACTIONS:
        e = Evidence.of(published, interaction)
        percent = [
            [100 * e.accuracy.mean],
            [100 * e.auxiliary("activation", LAYERS, t).mean for t in (1, 2, 3, 4)],
            [100 * e.decoded("activation", "fc", "category", t).mean for t in (1, 2, 3, 4)],
        ]
        importance = [
            [e.important(layer, variable, t).mean for t in (2, 3, 4)]
            for layer, variable in (
                ("input", "location"),
                ("conv1", "location"),
                ("conv1", "category"),
                ("conv2", "category"),
            )
        ]
        cells = [f"{', '.join(f'{value:.1f}' for value in row)} %" for row in percent]
        columns.append(cells + [", ".join(f"{value:.2f}" for value in row) for row in importance])
    page = (ROOT / "docs/experiment.md").read_text("utf-8")
    for row in zip(*columns, strict=True):
        assert f"| {' | '.join(row)} |" in page
    scenes = [
        Evidence.of(published, interaction).decoded("activation", "input", variable, 1).mean
        for variable in ("category", *AUXILIARY)
        for interaction in PUBLISHED_INTERACTIONS
    ]
    means = [
        f"{50 * (one + other):.1f} %" for one, other in zip(scenes[::2], scenes[1::2], strict=True)
    ]
    text = " ".join(page.split())
    assert "category {}, location {}, scale {}, orientation {}.".format(*means) in text


def test_the_page_on_the_recipe_has_the_rates_of_the_presets() -> None:
    default = yaml.safe_load((ROOT / "config.yaml").read_text("utf-8"))["training"]
    for preset in ("paper", "weekend", "overnight", "quick"):
        file = ROOT / "workflow/presets" / f"{preset}.yaml"
        own = yaml.safe_load(file.read_text("utf-8"))["training"] if file.exists() else {}
        iterations, rate = ((default | own)[key] for key in ("iterations", "learning_rate"))
        product = rate * iterations**0.5
        mantissa, exponent = f"{rate:.1e}".split("e")
        row = f"`{preset}` | {iterations:,} | {float(mantissa):g}e{int(exponent)} | {product:.2g} |"
        assert row in text_of(ROOT / "docs/recipe.md"), row
        assert 0.05 < product < 0.12, preset


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_a_clone_that_converts_line_ends_has_the_same_files(tmp_path: Path) -> None:
    kept = (".gitattributes", "Makefile", ".ci/run", "tests/cluster/slurm.sh", "tests/sample")

    def git(*words: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    for name in kept:
        target = tmp_path / "origin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    git("init", "-q", "origin")
    git("-C", "origin", "add", ".")
    git("-C", "origin", "commit", "-q", "-m", "all")
    git("clone", "-q", "-c", "core.autocrlf=true", "origin", "clone")
    files = [path for path in (tmp_path / "origin").rglob("*") if path.is_file()]
    names = [path.relative_to(tmp_path / "origin") for path in files]
    names = [name for name in names if name.parts[0] != ".git"]
    assert len(names) > len(kept)
    for name in names:
        assert (tmp_path / "clone" / name).read_bytes() == (tmp_path / "origin" / name).read_bytes()


def edges(graph: str) -> set[tuple[str, str]]:
    """The arrows of a graph in the language of graphviz, or in the SVG that it draws, between labels."""
    if "<svg" in graph:
        nodes = r"<title>(\d+)</title>.*?<text[^>]*>([^<]+)</text>"
        arrow = r"<title>(\d+)&#45;&gt;(\d+)</title>"
    else:
        nodes, arrow = r'(\d+)\[label = "(\w+)"', r"(\d+) -> (\d+)"
    labels = dict(re.findall(nodes, graph, re.DOTALL))
    return {(labels[a], labels[b]) for a, b in re.findall(arrow, graph)}


def test_the_graph_of_the_rules_is_that_of_the_rules(tmp_path: Path) -> None:
    """If this fails after a change of the rules, run make dag."""
    words = ("--forceall", "--rulegraph", "dot", "--", "all", "archive")
    graph = Study(tmp_path, {"run": {}}).snakemake(*words).stdout
    drawn = edges((ROOT / "docs/dag.svg").read_text("utf-8"))
    assert drawn == edges(graph) and ("train_network", "record_network") in drawn


def test_every_reference_can_be_found() -> None:
    for work in yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["references"]:
        assert work["title"] and work["year"] and work["authors"]
        assert all(
            "family-names" in author and "given-names" in author for author in work["authors"]
        )
        place = ("doi", "url", "journal", "publisher", "collection-title")
        assert work.keys() & {*place}, work["title"]
