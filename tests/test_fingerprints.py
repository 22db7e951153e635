"""What an edit of the code runs again: all that can give other numbers, and nothing else, under every Python."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from recurrence import fingerprints
from recurrence.fingerprints import FORMAT, PACKAGE, SILENT, fingerprint
from recurrence.storage import create_hdf5, open_hdf5, write_dataset, write_table
from study import SCRIPTS

SCENES = {"scenes", "variants", "train_network", "perturb_network"}  # those that paint scenes
NETWORKS = {"train_network", "import_network", "record_network", "perturb_network"}
NETWORKS |= {"parameters", "examples"}
VARIABLES = {"scenes", "variants", "record_network", "examples"}
SHOWN = {"scorecard", "figure", "report", "compare"}
UNCOUNTED = (
    *("names.py", "interactions.py", "variables.py", "costs.py"),
    *("source_files.py", "fingerprints.py"),
)
Edit = Callable[[str, str, str], set[str]]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("recurrence/job.py", "another process still does this job", "this job still runs"),
        ("recurrence/job.py", "every: float = 15.0", "every: float = 5.0"),
        ("recurrence/storage.py", "is damaged: delete it", "is broken: delete it"),
        ("recurrence/storage.py", "(is the disk full?)", "(no space?)"),
        ("recurrence/configuration/blocks.py", "class Training(Block):", "class Training(Block):\n    more: int"),
        ("recurrence/configuration/rules.py", "SHARDS = 100", "SHARDS = 10"),
        ("recurrence/training.py", "lower training.learning_rate", "set a lower training.learning_rate"),
        ("recurrence/training.py", "going on after iteration", "resumed after iteration"),
        ("recurrence/training.py", "loss=losses[iteration - 1].item()", "last=losses[iteration - 1].item()"),
        ("recurrence/datasets.py", "{len(images)} images", "{len(images)} pictures"),
        ("recurrence/datasets.py", "bytes too many after the last item", "bytes more than the items"),
        ("recurrence/datasets.py", "images.split('-')[0]} has no image", "images[:4]} has no image"),
        ("recurrence/downloads.py", "setdefaulttimeout(20)", "setdefaulttimeout(30)"),
        ("recurrence/downloads.py", "WAITS = (1.0, 2.0)", "WAITS = (1.0, 5.0)"),
        ("recurrence/downloads.py", "the download has no", "the download lacks"),
        ("recurrence/messages.py", "own files: ", "your own files: "),
        ("recurrence/messages.py", "and all downloads failed", "and no download succeeded"),
        ("recurrence/messages.py", "multiply-accumulates a scene", "products a scene"),
        ("recurrence/messages.py", '"validation accuracy"', '"accuracy"'),
        ("recurrence/messages.py", "there and {ours[key]}", "there, but {ours[key]}"),
        ("recurrence/messages.py", "a single number", "one number"),
        ("recurrence/checkpoints.py", "is not a file of weights only", "is no file of weights"),
        ("recurrence/training.py", "'loss is'", "'loss became'"),
        ("recurrence/training.py", "'weights are'", "'weights became'"),
        ("recurrence/network.py", "'none of its layers'", "'no layer'"),
        ("recurrence/network.py", "{name} at t = {t}", "{name} at {t}"),
        ("recurrence/network.py", "is not a network of this project", "is no network"),
        ("recurrence/storage.py", "the recording may need", "it may need"),
        ("recurrence/configuration/rules.py", "missing.append", "missing.extend"),
        ("recurrence/network.py", "-> torch.autocast:", "-> object:"),
        ("recurrence/scenes.py", '"""', '"""New. '),
        ("recurrence/names.py", "CANVAS = 100", "OTHER = 7\nCANVAS = 100"),
        ("recurrence/fingerprints.py", "", "\nADDED = 1\n"),
        ("recurrence/terminal.py", "", "\nADDED = 1\n"),
        ("train_network.py", "import torch\n", "import torch  # the library\n"),
    ],
)  # fmt: skip
def test_what_changes_no_number_runs_nothing_again(
    changed: Edit, name: str, old: str, new: str
) -> None:
    assert changed(name, old, new) == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("recurrence/statistics.py", ", 1.96 * float", ", 1.97 * float", SHOWN | {"tables"}),
        ("recurrence/names.py", '"category": 0.05', '"category": 0.06', {"scorecard", "figure", "report", "compare"}),
        ("recurrence/names.py", "IMAGE = 28", "IMAGE = 27", SCENES | {"shards"}),
        ("recurrence/variables.py", "return recipe.large", "return 1 - recipe.large", VARIABLES),
        ("recurrence/variables.py", "", "\n@variable\ndef more(recipe, _):\n    return recipe.large\n", VARIABLES),
        ("recurrence/interactions.py", "(1 + flow)", "(2 + flow)", NETWORKS | {"compare"}),
        ("recurrence/training.py", "min(1.0, up, down)", "min(1.0, up)", {"train_network"}),
        ("recurrence/training.py", "raise DivergedError(", "raise ValueError(", {"train_network"}),
        ("recurrence/recording.py", '"recurrent_flow": 3', '"recurrent_flow": 4', {"record_network"}),
        ("recurrence/clutter.py", "TARGET_THRESHOLD = 0.1", "TARGET_THRESHOLD = 0.2", {"record_network"}),
        ("recurrence/seeds.py", '"big"', '"little"', (SCENES | {"decode_network", "decode_scenes"})),
        ("train_network.py", "torch.manual_seed(seed)", "torch.manual_seed(0)", {"train_network"}),
    ],
)  # fmt: skip
def test_another_number_runs_what_uses_it_again(
    changed: Edit, name: str, old: str, new: str, expected: set[str]
) -> None:
    assert changed(name, old, new) == expected


@pytest.mark.parametrize(
    "line",
    [
        "from recurrence.extra import VALUE",
        "from recurrence import extra",
        "import recurrence.extra",
        "import recurrence.extra as other",
        "from .extra import VALUE",
        "from . import extra",
        "from .extra import *",
        "def late():\n    import recurrence.extra\n",
        "def late():\n    from .extra import VALUE\n",
        "try:\n    from recurrence.extra import VALUE\nexcept ImportError:\n    VALUE = 0\n",
        "from .parts import VALUE",
        "from recurrence.parts.deep import VALUE",
        "from recurrence.parts import deep",
        "import beside",
        "import recurrence\nVALUE = recurrence.extra.VALUE",
        "import recurrence.names\nVALUE = recurrence.extra.VALUE",
        "import recurrence.names as names, recurrence as here\nVALUE = here.parts.deep.VALUE",
    ],
)
def test_every_form_of_import_is_followed(changed: Edit, line: str) -> None:
    value = "VALUE = 1\n"
    for file in ("recurrence/extra.py", "recurrence/parts/deep.py", "beside.py"):
        (fingerprints.PACKAGE.parent / file).parent.mkdir(exist_ok=True)
        changed(file, "", value)
    changed("recurrence/parts/__init__.py", "", "from .deep import VALUE\n")
    changed("recurrence/training.py", "", f"\n{line}\n")
    if "beside" in line:
        edited = changed("beside.py", "1", "2")
    elif "parts" in line:
        edited = changed("recurrence/parts/deep.py", "1", "2")
    else:
        edited = changed("recurrence/extra.py", "1", "2")
    assert edited == {"train_network"}


@pytest.mark.parametrize(
    "line",
    [
        "import importlib",
        "from importlib import import_module",
        "import importlib.util as tools",
        "def late():\n    return __import__('recurrence.extra')",
        "exec(open('extra.py').read())",
        "import runpy",
        "import pkgutil\nVALUE = pkgutil.resolve_name('recurrence.extra:VALUE')",
        "from pkgutil import resolve_name",
        "import builtins\nVALUE = builtins.__import__('recurrence.extra')",
        "VALUE = __builtins__.__import__('recurrence.extra')",
        "import sys\nVALUE = sys.modules['recurrence.extra'].VALUE",
        "import sys as system\nVALUE = system.modules.get('recurrence.extra')",
        "from sys import modules",
        "VALUE = __loader__.load_module('recurrence.extra')",
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(changed: Edit, line: str) -> None:
    with pytest.raises(ValueError, match=r"training\.py, line \d+: .* cannot be followed"):
        changed("recurrence/training.py", "", f"\n{line}\n")


@pytest.mark.parametrize(
    ("line", "better"),
    [
        ("from recurrence import load_network", "from recurrence.network import load_network"),
        ("from recurrence import Run as run", "from recurrence.by_hand import Run"),
        ("from recurrence import *", "import what you use of it by name"),
        ("import recurrence\nrecurrence.load_network('x')", "from recurrence.network import load_network"),
        ("import recurrence.names\nrecurrence.load('x')", "import load"),
        ("import recurrence as r\nr.load_network('x')", "from recurrence.network import load_network"),
        ("import recurrence\ngetattr(recurrence, 'load_network')", "import what you use of it by name"),
        ("from recurrence.configuration.blocks import VARIABLES", "from recurrence.variables import VARIABLES"),
        ("from recurrence.configuration.blocks import TOPDOWN", "from a module that is not in SILENT"),
        ("from recurrence.configuration import blocks\nblocks.LAYERS", "from recurrence.names import LAYERS"),
        ("from recurrence.configuration import blocks\nvars(blocks)", "import what you use of it by name"),
        ("from recurrence.storage import *", "import what you use of it by name"),
        ("from recurrence import messages\nmessages.block_of('x', 1)", "from recurrence.costs import block_of"),
        ("from recurrence.report import *", "import what you use of it by name"),
        ("from recurrence.network import messages\nmessages.total('x', 1)", "import what you use of it"),
        ("import recurrence.job, recurrence.network as n\nn.storage.PROJECT", "import what you use of it"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["recurrence/training.py", "train_network.py"])
def test_a_name_that_hides_where_it_comes_from_is_refused(
    changed: Edit, file: str, line: str, better: str
) -> None:
    with pytest.raises(
        ValueError, match=r"line \d+: an edit of .* could leave stale results"
    ) as told:
        changed(file, "", f"\n{line}\n")
    assert better in str(told.value)


@pytest.mark.parametrize(
    ("line", "better"),
    [
        ("from . import load_network", "from recurrence.network import load_network"),
        ("from .configuration.blocks import LAYERS", "from recurrence.names import LAYERS"),
    ],
)
def test_a_relative_import_that_hides_where_a_name_comes_from_is_refused(
    changed: Edit, line: str, better: str
) -> None:
    with pytest.raises(ValueError, match="could leave stale results") as told:
        changed("recurrence/training.py", "", f"\n{line}\n")
    assert better in str(told.value)


def test_constants_count_however_they_are_imported(changed: Edit) -> None:
    changed("recurrence/training.py", "", "\nfrom recurrence import names\nADDED = names.CHANCE\n")
    assert "train_network" in changed("recurrence/names.py", '"category": 0.05', '"category": 0.06')
    assert "train_network" not in changed(
        "recurrence/names.py", "CANDIDATES = 50", "CANDIDATES = 51"
    )
    with pytest.raises(ValueError, match=r"names\.py must import no other module"):
        changed(
            "recurrence/names.py", "LAYERS =", "from recurrence.seeds import derive_seed\nLAYERS ="
        )


PLACE = "    validated, started = state.iteration"  # in train()


@pytest.mark.parametrize(
    "line",
    [
        "print(f'{len(losses)} {round(rate, 2)}', losses[0].item(), losses[1:3].sum(), sep='; ')",
        "print(messages.latest(state.curve), Path(file).name, file.stat().st_size, -rate / 2)",
        "progress.show(state.iteration + 1, loss=losses[0].item())",
        "warnings.warn('slow')",
        "if state.iteration > 3 and progress.due(): print('late')",
    ],
)
def test_what_is_only_told_does_not_count(changed: Edit, line: str) -> None:
    assert changed("recurrence/training.py", PLACE, f"    {line}\n{PLACE}") == set()


@pytest.mark.parametrize(
    "line",
    [
        "print(torch.rand(1))",
        "print(f'{torch.rand(1)}')",
        "print(network.readout.weight.data.mul_(2))",
        "print('', end=str(torch.rand(1)))",
        "print('a', file=open(file, 'w'))",
        "print('a', file=log)",
        "print(*batches)",
        "print([batch for batch in batches])",
        "print(sum(batches))",
        "print(3 in batches)",
        "print(device := 'cpu')",
        "print(torch.rand(1).item())",
        "print(losses.sum(out=losses))",
        "print(np.sum(batches))",
        "progress.show(next(batches))",
        "progress.show(1, loss=torch.rand(1))",
        "network.show(1)",
        "network.warn(1)",
        "warnings.warn(str(torch.rand(1)))",
        "if torch.rand(1) > 0: print('a')",
        "if 3 in batches: print('a')",
        "with reading(torch.save(network, file), 'a'): pass",
        "raise Found(2)",
        "raise Found(value=2)",
    ],
)
def test_what_is_told_counts_if_it_may_change_something(changed: Edit, line: str) -> None:
    assert changed("recurrence/training.py", PLACE, f"    {line}\n{PLACE}") == {"train_network"}


def test_messages_of_assertions_do_not_count(changed: Edit) -> None:
    assert changed("recurrence/training.py", PLACE, f"    assert last, 'none'\n{PLACE}") == {
        "train_network"
    }
    assert changed("recurrence/training.py", "'none'", "f'no iteration of {last}'") == set()


def test_silent_modules_use_no_module_that_counts() -> None:
    """But for ``__init__``, whose names are for use by hand.

    Names of rules and variables, and fingerprints, are values of parameters.
    """
    modules = [PACKAGE / f"{name}.py" for name in SILENT]
    files = [path for path in modules if path.exists() and path.stem != "__init__"]
    for path in [*(PACKAGE / "configuration").glob("*.py"), *files]:
        for kind, name in fingerprints._names(ast.parse(path.read_text()), path):
            for used in fingerprints._files(name, PACKAGE.parent)[0] if kind != "own" else ():
                silent = fingerprints._is_silent(used)
                assert silent or used.name in UNCOUNTED, f"{path.name} uses {used.name}"


def test_the_format_of_files_has_a_version(tmp_path: Path) -> None:
    """If this fails because ``recurrence.storage`` writes or reads other numbers, raise ``FORMAT`` and mend it."""
    assert FORMAT == 1
    write_table(tmp_path / "t.csv", pd.DataFrame({"a": [1 / 3, 2e-9], "b": [1, 2]}), instance=1)
    assert (tmp_path / "t.csv").read_text() == "instance,a,b\n1,0.333333,1\n1,2e-09,2\n"
    with create_hdf5(tmp_path / "f.h5", {"block": {"b": 1, "a": [2]}, "seed": 3}) as file:
        write_dataset(file, "x", [[1.5], [2.5]], ("scene", "unit"))
    with open_hdf5(tmp_path / "f.h5") as file:
        assert dict(file.attrs) == {"block": '{"a": [2], "b": 1}', "seed": 3}
        assert file["x"][:].tolist() == [[1.5], [2.5]]
        assert [d.label for d in file["x"].dims] == ["scene", "unit"]


TRICKY = r'''
"""A docstring with {braces}."""
import sys
x, width, names = 3.0, 7, {"a": 1}
u = u"text" "joined" f"{x}" 'and' rf"\d{x!r:>{width}}" f"{{}}" f"{x:}"
v = f"{names['a']:0{width}d}{x=}{x = !s}" f"" "é\u0378\n", b"\xff"
w = (1, 2.5e-300, 1j, ..., None, True, -0.0, 10_000, 0x1F)
def f(a: "int", /, b=1, *c, d=None, **e) -> "int":
    """Docstring."""
    global x
    with (open(a) as one, open(b) as two):
        return [*c, {**e, "k": (y := d)}]
async def g(): return [i async for i in f() if (lambda: (yield))]
@f
class C(object): ...
'''
TELL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from recurrence.fingerprints import fingerprint
for path in sys.argv[2:]:
    print(fingerprint(Path(path)))
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_every_python_gives_the_same_fingerprints(tmp_path: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    environment = os.environ | {"PYENV_VERSION": version}  # where pyenv provides it
    words = [python or "", *(["-OO"] if version == "3.12" else []), "-c", TELL]
    (tmp_path / "tricky.py").write_text(TRICKY, encoding="utf-8")
    files = [*sorted(SCRIPTS.glob("*.py")), tmp_path / "tricky.py"]
    result = subprocess.run(
        [*words, str(SCRIPTS), *map(str, files)],
        executable=python or sys.executable,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not python or result.returncode == 127:
        pytest.skip(f"there is no Python {version}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [fingerprint(path) for path in files]
