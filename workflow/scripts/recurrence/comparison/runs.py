"""The finished runs to compare, by their names. The rules read this, so it needs nothing but the standard library."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TABLES = ("accuracy", "decoding", "perturbation")
STAGES = ("record", "decode", "perturb")  # whose jobs leave a record of what they made a table from
JOIN = "+"  # between the names in the name of a comparison's folder; no name has it
FINISH = "To finish a run: make reproduce, with the PRESET or CONFIG that it began with"
LONGEST = 255  # bytes in the name of a folder


class RunError(ValueError):
    """Runs that cannot be compared; the message says why and what to do."""


@dataclass(frozen=True)
class Files:
    """The files of a finished run."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.folder.name

    @property
    def tables(self) -> list[Path]:
        """The tables that are compared."""
        return [self.folder / "tables" / f"{name}.csv" for name in TABLES]

    @property
    def networks(self) -> list[Path]:
        """The weights of each network in the tables."""
        with self.tables[0].open(newline="", encoding="utf-8") as file:
            rows = [(row.get("interaction"), row.get("instance")) for row in csv.DictReader(file)]
        return [
            self.folder / f"{interaction}/instance{instance}/model.safetensors"
            for interaction, instance in dict.fromkeys(rows)
        ]

    def parts(self, table: str) -> list[Path]:
        """The rows of a table, in a file for each network."""
        return [network.with_name(f"{table}.csv") for network in self.networks]

    def records(self, network: Path) -> list[Path]:
        """What the jobs of a network's stages have recorded."""
        interaction, instance = network.parts[-3], network.parts[-2].removeprefix("instance")
        return [self.folder / "logs" / stage / f"{interaction}-{instance}.json" for stage in STAGES]

    def __iter__(self) -> Iterator[Path]:
        for table in self.tables:
            yield table
            yield from self.parts(table.stem)
        for network in self.networks:
            yield network
            yield from self.records(network)


def runs_of(joined: str, results: Path = Path("results")) -> list[Files]:
    """The finished runs with the ``joined`` names, such as ``quick+fewer-objects``.

    Raises :class:`RunError` for a run that is unknown, not finished or named twice.
    """
    names = joined.split(JOIN)
    for number, name in enumerate(names):
        if name in names[:number]:
            raise RunError(f"the run {name} is named twice: name each run once")
    if len(joined.encode()) > LONGEST:
        raise RunError(
            f"the names of these runs are together longer than the {LONGEST} bytes that a folder's name can "
            "have: give runs shorter names (run.name), or compare fewer"
        )
    return [_finished(name, results) for name in names]


def _finished(name: str, results: Path) -> Files:
    files = Files(results / name)
    if not name or not files.folder.is_dir():
        known = ", ".join(_known(results)) or "none"
        raise RunError(f"there is no run {name!r} in {results}/ (finished runs: {known})")
    for path in [*files.tables, files.folder / "report.html"]:
        if not path.is_file():
            raise RunError(f"the run {name} is not finished, as {path} is missing. {FINISH}")
    if lacking := [path for path in files if not path.is_file()]:
        raise RunError(
            f"{lacking[0]} of the run {name} is missing: copy the run's folder with all its files. {FINISH}"
        )
    return files


def _known(results: Path) -> Sequence[str]:
    return sorted(path.parent.name for path in results.glob("*/report.html"))
