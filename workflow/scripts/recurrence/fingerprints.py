"""What code a rule's results depend on, so that an edit reruns the stages that use it and no others.

It needs nothing but the standard library, and gives the same value under every Python that the project runs on.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from recurrence.told import changes_nothing, dotted, is_message, is_told

PACKAGE = Path(__file__).parent
FORMAT = 1  # of tables and HDF5 files: raise it when recurrence.storage writes or reads numbers in another way
SILENT = (
    "__init__",  # names for use by hand
    "configuration",
    "downloads",  # what they bring is verified
    "job",
    "machine",
    "messages",
    "origins",
    "records",
    "states",
    "storage",
)  # modules that compute no number
CONSTANTS = "names"  # the module of constants; only those that are used count
UNFOLLOWED = re.compile(
    r"(exec|eval)|(.*\.)?(importlib|runpy|pkgutil|pydoc|imp|zipimport|builtins|sys\.modules"
    r"|__import__|__builtins__|__loader__|__spec__)(\..*)?"
)

Code = str | tuple["Code", ...]
Kind = Literal["import", "imported", "own"]  # an import, a name that one gives, another name


def fingerprint(script: Path) -> str:
    """A hash of a rule's script and of every module of this package that it imports, directly or not.

    Only what can change a number counts. Comments, docstrings, layout, what is printed, the messages of errors and the
    modules in :data:`SILENT` do not: the configuration's values are parameters of the rules, and the format of files
    has the version :data:`FORMAT`. Raises ``ValueError`` for names that can't be followed to the code behind them.
    """
    codes: dict[str, str] = {}
    constants: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if (name := _name(path)) in codes:
            continue
        codes[name], files, wanted = _module(path, path.read_text("utf-8"))
        waiting += files
        constants |= wanted
    if constants:
        codes[CONSTANTS] = _hash(_constants(PACKAGE / f"{CONSTANTS}.py", constants))
    return _hash((FORMAT, sorted(codes.items())))[:16]


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


# Files do not come and go while a workflow starts.
@cache
def _module(path: Path, text: str) -> tuple[str, list[Path], set[str]]:
    """A hash of what counts of a module, the files that it runs, and the constants that it uses."""
    tree = ast.parse(text)
    runs: dict[Path, None] = {}
    constants: set[str] = set()
    for (kind, name), line in _names(tree, path).items():
        if UNFOLLOWED.fullmatch(name):
            raise ValueError(
                f"{path}, line {line}: what {name} runs cannot be followed, so that results could be stale: "
                "use a plain import"
            )
        files, rest = _files(name, PACKAGE.parent) if kind != "own" else ((), "")
        if not files:
            continue
        if rest or kind == "imported":
            wanted = rest or "*"  # all of it
            if _name(files[-1]) == CONSTANTS:
                constants.add(wanted)
            elif not _is_followed(files[-1], wanted):
                raise ValueError(
                    f"{path}, line {line}: an edit of {name} could leave stale results, as it cannot be followed from "
                    f"there: {_better(wanted)}"
                )
        runs |= dict.fromkeys(files)
    followed = [file for file in runs if not _is_silent(file) and _name(file) != CONSTANTS]
    return _hash(_code(tree)), followed, constants


# --- names and imports ---------------------------------------------------------------------------


def _names(tree: ast.AST, path: Path) -> dict[tuple[Kind, str], int]:
    """The dotted names in a module, with the modules that they come from, and the line of each."""
    nodes = [*_counted(tree)]
    found: dict[tuple[Kind, str], int] = {}
    sources: dict[str, str] = {}  # of imported names
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    found.setdefault(("import", alias.name), node.lineno)
                    first = alias.name.partition(".")[0]
                    sources[alias.asname or first] = alias.name if alias.asname else first
            case ast.ImportFrom(names=names):
                for alias in names:
                    name = f"{_origin(node, path)}.{alias.name}"
                    found.setdefault(("import", name), node.lineno)
                    sources[alias.asname or alias.name] = name
    parts = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in parts:
            first, dot, rest = dotted(node).partition(".")
            kind: Kind = "imported" if first in sources else "own"
            found.setdefault((kind, sources.get(first, first) + dot + rest), node.lineno)
    return found


def _origin(node: ast.ImportFrom, path: Path) -> str:
    """The dotted name of the module that names are imported from."""
    if not node.level:
        return node.module or ""
    folder = path.parents[node.level - 1].relative_to(PACKAGE.parent)
    return ".".join([*folder.parts, *([node.module] if node.module else [])])


@cache
def _files(name: str, folder: Path) -> tuple[Sequence[Path], str]:
    """The files below ``folder`` that an import of a dotted name runs, and the name of what is in the last one."""
    files: list[Path] = []
    for part in name.split("."):
        here = [folder / f"{part}.py", folder / part / "__init__.py"]
        files += (there := [file for file in here if file.is_file()])
        folder /= part
        if not there and not folder.is_dir():
            return files, part
    return files, ""


def _name(path: Path) -> str:
    """A module's dotted name in the package, or a script's name."""
    if path.is_relative_to(PACKAGE):
        return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return f"{path.stem}.py"


def _is_silent(path: Path) -> bool:
    return path.is_relative_to(PACKAGE) and _name(path).split(".")[0] in SILENT


def _is_followed(path: Path, name: str) -> bool:
    """Whether an edit of what ``name`` of a module means is noticed, or changes no number.

    Of a silent module those are its own functions and classes, not its constants, nor what it has from other modules.
    Of others all are, but for silent modules that it passes on, and all of a package: it may not import its modules.
    """
    if _is_silent(path):
        return _name(path) != "__init__" and _defined(path.read_text("utf-8")).get(name, False)
    if name in (*SILENT, PACKAGE.name):
        return name in _defined(path.read_text("utf-8"))
    return name != "*" or path.stem != "__init__"


def _better(name: str) -> str:
    """What to write instead of a name that cannot be followed."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not _is_silent(path) and name in _defined(path.read_text("utf-8")):
            return f"write from {PACKAGE.name}.{_name(path)} import {name}"
    return f"import what you use of it by name, from a module that is not in SILENT of {__name__}"


@cache
def _defined(text: str) -> dict[str, bool]:
    """What a module defines, and whether that is a function or a class."""
    found: dict[str, bool] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = True
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = False
    return found


# --- what counts ---------------------------------------------------------------------------------


def _code(value: object) -> Code:
    """What counts of a syntax tree: types of nodes, and their fields that are not empty.

    Positions, contexts and empty fields depend on the version of Python, or say nothing.
    """
    match value:
        case ast.JoinedStr(values=parts):
            return ("JoinedStr", *_joined(parts))
        case ast.Constant(value=constant):
            return ("Constant", type(constant).__name__, ascii(constant))
        case ast.Raise(exc=ast.Call(func=error, args=given, keywords=named)):
            kept = [each for each in [*given, *named] if not is_message(each)]
            return ("Raise", _code(error), _code(kept))
        case ast.Raise(exc=error):
            return ("Raise", _code(error))
        case ast.Assert(test=test):
            return ("Assert", _code(test))
        case ast.Call(func=ast.Name(id="reading"), args=told) if changes_nothing(*told):
            # It only words what goes wrong.
            return ("reading",)
        case ast.arg(arg=name):
            return ("arg", name)
        case ast.AST():
            fields = ((name, item) for name, item in ast.iter_fields(value) if _counts(name, item))
            return (type(value).__name__, *((name, _code(item)) for name, item in fields))
        case [*items]:
            return tuple(_code(item) for item in items if not _is_idle(item))
        case _:
            return ascii(value)


def _counts(name: str, item: object) -> bool:
    return item not in (None, []) and name not in ("ctx", "kind", "type_comment", "returns")


def _joined(parts: Iterable[ast.expr]) -> Iterator[Code]:
    """The parts of an f-string; Python's versions split the text between them differently."""
    text = ""
    for part in parts:
        if isinstance(part, ast.Constant):
            text += str(part.value)
            continue
        if text:
            yield ascii(text)
        text = ""
        yield _code(part)
    if text:
        yield ascii(text)


def _is_idle(item: object) -> bool:
    """Whether a statement computes nothing: a docstring, an import of a silent module, a line that is printed."""
    match item:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call() as call):
            return is_told(call)
        case ast.If(test=test, body=body, orelse=[]):
            return _is_for_types(test) or (changes_nothing(test) and all(map(_is_idle, body)))
        case ast.ImportFrom(module=str(module), level=0):
            package, _, name = module.partition(".")
            return package == PACKAGE.name and name.split(".")[0] in SILENT
        case _:
            return False


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _counted(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree that can run, imports within functions too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if not (isinstance(child, ast.If) and not child.orelse and _is_for_types(child.test)):
                waiting.append(child)


def _constants(path: Path, wanted: set[str]) -> Code:
    """The assignments of the ``wanted`` constants, and of those that they are made from."""
    text = path.read_text("utf-8")
    if _module(path, text)[1]:
        raise ValueError(f"{path} must import no other module of this project: it has constants")
    tree = ast.parse(text)
    assigned = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name not in assigned:
                assigned[name] = node
            case _ if not _is_idle(node):  # more than constants: all of it counts
                return _code(tree)
    if not wanted <= set(assigned):
        return _code(tree)
    found: dict[str, Code] = {}
    waiting = sorted(wanted)
    while waiting:
        name = waiting.pop()
        if name in assigned and name not in found:
            found[name] = _code(assigned[name])
            waiting += [n.id for n in ast.walk(assigned[name]) if isinstance(n, ast.Name)]
    return tuple(code for _, code in sorted(found.items()))
