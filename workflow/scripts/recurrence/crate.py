"""The description of an archived run: what made which file, as a Provenance Run Crate (RO-Crate).

The profile is one of Workflow Run RO-Crate, https://www.researchobject.org/workflow-run-crate/. Each job with a record
is an action of it, with its files, its start and its end.
"""

import mimetypes
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from recurrence.records import read
from recurrence.storage import read_benchmark

FILE = "ro-crate-metadata.json"
VERSION = "1.1"  # of RO-Crate, on which the profiles are based
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
PAPER = "https://arxiv.org/abs/2111.07898"
SNAKEMAKE = "https://snakemake.readthedocs.io"
MIME = {".yaml": "application/yaml", ".md": "text/markdown", ".smk": "text/plain"}
MIME |= {".h5": "application/x-hdf5", ".tsv": "text/tab-separated-values", "": "text/plain"}
DONE = "http://schema.org/CompletedActionStatus"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"


@dataclass(frozen=True)
class Job:
    """A job of a run: what it made, and when."""

    rule: str
    label: str
    files: tuple[str, ...]
    start: datetime
    end: datetime


def jobs(folder: Path) -> list[Job]:
    """The jobs that left a record in the folder of a run, in the order of their ends.

    A job ended when its record was written, and took as long as its benchmark says. Raises ``ValueError`` without any.
    """
    found = []
    for path in sorted((folder / "logs").rglob("*.json")):
        record = read(path)
        if not record:
            continue
        benchmark = folder / "benchmarks" / path.relative_to(folder / "logs").with_suffix(".tsv")
        end = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        seconds = read_benchmark(benchmark)["s"]
        of = sorted(record["wildcards"], key="instance".__eq__)  # the interaction first
        label = " ".join([record["rule"], *(record["wildcards"][name] for name in of)])
        start = end - timedelta(seconds=0 if pd.isna(seconds) else round(seconds))
        run = f"results/{folder.name}"  # its place in the archive
        files = tuple(os.path.normpath(f"{run}/{file}") for file in record["output"])
        found.append(Job(record["rule"], label, files, start, end))
    if not found:
        raise ValueError(
            f"{folder / 'logs'} has no records of jobs, which say what made which file: make the run again"
        )
    return sorted(found, key=lambda job: (job.end, job.label))


def described(
    run: str, files: Mapping[str, int], made: Sequence[Job], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """The metadata of the archive of ``run``, as JSON-LD.

    ``files`` are the paths in the archive with their sizes in bytes; ``provenance`` is that of
    :func:`recurrence.storage.provenance`.
    """
    crate = ROCrate(version=VERSION)
    tools = {_script(job.rule) for job in made}
    entities = {path: _file(crate, path, size, path in tools) for path, size in files.items()}
    for path in tools:
        entities[path]["version"] = provenance["git_commit"]
    workflow = _workflow(crate, entities, provenance)
    _root(crate, run, entities, made)
    steps = _steps(crate, workflow, made, entities)
    actions = list(_job_actions(crate, made, entities))
    results = [entity for path, entity in entities.items() if path.startswith(f"results/{run}/")]
    about = {
        "name": f"The run {run}",
        "description": "The run's jobs. Its source images and test scenes were made before.",
    }
    about |= {"actionStatus": DONE, **_times(made)}
    whole = crate.add_action(workflow, "#run", entities["config.yaml"], results, about)
    controls = [
        crate.add_action(
            steps[job.rule],
            f"#control-{number}",
            action,
            properties={"@type": "ControlAction", "name": f"Control of {job.label}"},
        )
        for number, (job, action) in enumerate(zip(made, actions, strict=True), 1)
    ]
    engine = _entity(crate, SNAKEMAKE, "SoftwareApplication", name="Snakemake", url=SNAKEMAKE)
    engine["softwareVersion"] = provenance["packages"].get("snakemake", "unknown")
    about = {"name": "Snakemake's execution of the jobs", "description": "What ran the jobs."}
    about |= {"@type": "OrganizeAction", **_times(made)}
    crate.add_action(engine, "#engine", controls, whole, about)
    crate.root_dataset["mentions"] = [whole, *actions]
    return dict(crate.metadata.generate())


def _entity(crate: ROCrate, identifier: str, kind: str | list[str], **properties: Any) -> Any:
    return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **properties}))


def _file(crate: ROCrate, path: str, size: int, is_tool: bool) -> Any:
    suffix = Path(path).suffix
    kind = MIME.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    about: dict[str, Any] = {"name": path, "contentSize": str(size), "encodingFormat": kind}
    if path == "Snakefile":
        about["@type"] = ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
        return crate.add_workflow(None, path, properties=about, main=True, lang="snakemake")
    if is_tool:
        about["@type"] = ["File", "SoftwareSourceCode"]
    return crate.add_file(None, path, properties=about)


def _root(crate: ROCrate, run: str, entities: Mapping[str, Any], made: Sequence[Job]) -> None:
    root = crate.root_dataset
    crate.name = f"Category-orthogonal object features in recurrent networks: the run {run}"
    crate.description = (
        "A run of a reproduction of Thorat, Aldegheri & Kietzmann (2021): weights, tables, figures, report, "
        "configuration, the code, and what made which file."
    )
    crate.license = entities["LICENSE"]
    crate.datePublished = max(job.end for job in made)
    for identifier, name in PROFILES.items():
        version = identifier.rpartition("/")[2]
        profile = _entity(crate, identifier, "CreativeWork", name=name, version=version)
        root.append_to("conformsTo", profile)
    title = (
        "Category-orthogonal object features guide information processing in recurrent neural networks trained for "
        "object categorization"
    )
    authors = "The authors of this reproduction"
    root["author"] = _entity(crate, "#authors", "Organization", name=authors)
    root["publisher"] = root["author"]
    entities["README.md"]["about"] = root
    root["citation"] = _entity(crate, PAPER, "ScholarlyArticle", name=title, url=PAPER)


def _workflow(crate: ROCrate, entities: Mapping[str, Any], provenance: Mapping[str, Any]) -> Any:
    """The Snakefile, with the commit of the code and the packages that it ran with."""
    workflow = entities["Snakefile"]
    workflow["version"] = provenance["git_commit"]
    workflow["license"] = entities["LICENSE"]
    profile = {"name": "Bioschemas ComputationalWorkflow", "version": "1.0"}
    workflow["conformsTo"] = _entity(crate, BIOSCHEMAS, "CreativeWork", **profile)
    for name, version in provenance["packages"].items():
        about = {"name": name, "softwareVersion": version}
        package = _entity(crate, f"pkg:pypi/{name}@{version}", "SoftwareApplication", **about)
        workflow.append_to("softwareRequirements", package)
    return workflow


def _script(rule: str) -> str:
    return f"workflow/scripts/{rule}.py"


def _steps(
    crate: ROCrate, workflow: Any, made: Sequence[Job], entities: Mapping[str, Any]
) -> dict[str, Any]:
    """A step for each rule, in the order of their first jobs; its tool is the rule's script."""
    steps = {}
    for number, rule in enumerate(dict.fromkeys(job.rule for job in made), 1):
        script = entities[_script(rule)]
        about = {"name": rule, "position": str(number), "workExample": script}
        steps[rule] = _entity(crate, f"Snakefile#{rule}", "HowToStep", **about)
        workflow.append_to("step", steps[rule])
        workflow.append_to("hasPart", script)
    return steps


def _job_actions(crate: ROCrate, made: Sequence[Job], entities: Mapping[str, Any]) -> Iterator[Any]:
    for number, job in enumerate(made, 1):
        results = [entities[path] for path in job.files if path in entities]
        about = {"name": job.label, "description": f"A job of the rule {job.rule}."}
        about |= {"actionStatus": DONE, **_times([job])}
        script, config = entities[_script(job.rule)], entities["config.yaml"]
        made_here = results[0] if len(results) == 1 else results
        yield crate.add_action(script, f"#job-{number}", config, made_here, about)


def _times(made: Sequence[Job]) -> dict[str, str]:
    start, end = min(job.start for job in made), max(job.end for job in made)
    return {"startTime": start.isoformat(), "endTime": end.isoformat()}
