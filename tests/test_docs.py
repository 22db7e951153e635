"""The pages: links lead somewhere, the code cites sections that exist, and versions agree."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

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
