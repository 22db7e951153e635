"""The archive of a run: what is in it, its checksums, and its description as a Provenance Run Crate."""

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from rocrate.rocrate import ROCrate
from rocrate.vocabs import RO_CRATE
from rocrate_validator import models, services
from rocrate_validator.utils import document_loader

from recurrence.archive import write
from recurrence.configuration.problems import check
from recurrence.crate import jobs
from recurrence.network import load_network
from runs import configuration, write_run
from study import ROOT, TINY, Study

PROVENANCE = {"git_commit": "0123abc", "packages": {"numpy": "2.4.6", "snakemake": "9.27.1"}}
# These download the context, which the tests take from ro-crate-py.
DOWNLOADS = ["ro-crate-1.1_3.1", "ro-crate-1.1_3.2"]


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up run that was archived, unzipped."""
    folder = tmp_path_factory.mktemp("archive")
    run = write_run(folder / "results", "made-up", {"run": {"interactions": ["additive"]}})
    (run / "additive/instance1/.training").mkdir()
    (run / "additive/instance1/.training/state.pt").touch()
    (run / "additive/instance1/activations.h5").touch()
    return unzipped(archive(run), folder / "unzipped")


def archive(run: Path, to: str = "a.zip") -> Path:
    path = run.parent / to
    write(path, ROOT, run, configuration(run.name, {}), PROVENANCE)
    return path


def unzipped(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path) as file:
        file.extractall(folder)
    return folder


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the validator the terms of RO-Crate 1.1 without a network: newer ones moved those of Bioschemas."""
    terms = {
        term: uri.replace("bioschemas.org/terms/", "bioschemas.org/")
        for term, uri in RO_CRATE["@context"].items()
    }
    monkeypatch.setattr(document_loader, "_fetch_json_ld", lambda url: {"@context": terms})


def problems(folder: Path, profile: str) -> set[tuple[str, str]]:
    """The checks of a profile that fail, and their messages; recommended ones too."""
    result = services.validate(
        services.ValidationSettings(
            rocrate_uri=str(folder),
            profile_identifier=profile,
            requirement_severity=models.Severity.RECOMMENDED,
            skip_availability_check=True,
            skip_checks=DOWNLOADS,
        )
    )
    return {(issue.check.identifier, issue.message) for issue in result.get_issues()}


# We do not know who runs the workflow, nor the address of a page about it.
UNKNOWN = {
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The Action SHOULD have an agent that is a Person or Organization",
    "The organization SHOULD have a URL.",
}


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
def test_the_description_keeps_to_the_profile(archived: Path) -> None:
    found = problems(archived, "provenance-run-crate-0.5")
    assert {message for _, message in found} <= UNKNOWN


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
def test_the_validator_sees_what_is_missing(archived: Path, tmp_path: Path) -> None:
    """Without the step of a rule, and without a file."""
    broken = tmp_path / "broken"
    subprocess.run(["cp", "-r", archived, broken], check=True)
    path = broken / "ro-crate-metadata.json"
    description = json.loads(path.read_text())
    description["@graph"] = [e for e in description["@graph"] if e["@type"] != "HowToStep"]
    path.write_text(json.dumps(description))
    (broken / "config.yaml").unlink()
    messages = " ".join(message for _, message in problems(broken, "provenance-run-crate-0.5"))
    assert "HowToStep" in messages and "config.yaml" in messages


def test_it_says_what_made_which_file(archived: Path) -> None:
    crate = ROCrate(archived)
    assert crate.mainEntity.id == "Snakefile"
    assert {part.id for part in crate.mainEntity["hasPart"]} == {
        f"workflow/scripts/{stage}_network.py" for stage in ("record", "decode", "perturb")
    }
    actions = [entity for entity in crate.get_entities() if entity.type == "CreateAction"]
    made = {action["name"]: action for action in actions}
    assert made.keys() == {"The run made-up"} | {
        f"{stage}_network additive {k}"
        for stage in ("record", "decode", "perturb")
        for k in (1, 2, 3)
    }
    job = made["decode_network additive 2"]
    assert job["instrument"].id == "workflow/scripts/decode_network.py"
    assert job["result"].id == "results/made-up/additive/instance2/decoding.csv"
    assert job["startTime"] < job["endTime"]
    files = {entity.id for entity in crate.data_entities if "File" in entity.type}
    there = {str(p.relative_to(archived)) for p in archived.rglob("*") if p.is_file()}
    assert files == there - {"SHA256SUMS", "ro-crate-metadata.json"}


def test_the_checksums_are_those_of_all_files(archived: Path) -> None:
    lines = (archived / "SHA256SUMS").read_text().splitlines()
    sums = {path: digest for digest, path in (line.split("  ") for line in lines)}
    there = {str(p.relative_to(archived)) for p in archived.rglob("*") if p.is_file()}
    assert sums.keys() == there - {"SHA256SUMS"}
    for path, digest in sums.items():
        assert hashlib.sha256((archived / path).read_bytes()).hexdigest() == digest


def test_results_keep_their_paths_and_what_a_run_does_not_need_is_left_out(archived: Path) -> None:
    run = archived / "results/made-up"
    for path in ("tables/decoding.csv", "report.html", "logs/decode/additive-3.json"):
        assert (run / path).is_file()
    assert (run / "additive/instance1/model.safetensors").is_file()
    assert not list(run.rglob(".training")) and not list(run.rglob("activations.h5"))
    for path in ("envs/requirements.lock", "workflow/rules/archive.smk", "LICENSE"):
        assert (archived / path).read_bytes() == (ROOT / path).read_bytes()
    assert not list(archived.rglob("__pycache__"))
    config = yaml.safe_load((archived / "config.yaml").read_text())
    assert config == check(config).plain() == configuration("made-up", {})


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "results", "a", {"run": {"interactions": ["additive"]}})
    one, two = (archive(run, name).read_bytes() for name in ("one.zip", "two.zip"))
    assert one == two


def test_a_run_without_records_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "results", "a", {"run": {"interactions": ["additive"]}})
    for path in run.rglob("logs/**/*.json"):
        path.unlink()
    with pytest.raises(ValueError, match=r"logs.* has no records of jobs"):
        jobs(run)


@pytest.mark.usefixtures("offline")
@pytest.mark.filterwarnings("default")
def test_the_rule_archives_a_finished_run(finished: Study, tmp_path: Path) -> None:
    result = finished.snakemake("--", "archive")
    assert result.returncode == 0, result.stdout + result.stderr
    path = finished.folder / "results/tiny.zip"
    try:
        assert finished.planned("--", "archive") == {}
        folder = unzipped(path, tmp_path / "unzipped")
    finally:
        path.unlink()
    messages = {message for _, message in problems(folder, "provenance-run-crate-0.5")}
    assert messages <= UNKNOWN
    made: list[Any] = [e for e in ROCrate(folder).get_entities() if e.type == "CreateAction"]
    assert "train_network feedforward 2" in {action["name"] for action in made}
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["network"]["channels"] == TINY["network"]["channels"]
    network = load_network(folder / "results/tiny/additive/instance1/model.safetensors")
    assert network.timesteps == 3
    assert finished.planned() == {}
