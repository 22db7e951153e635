"""What code a rule's results depend on, so that an edit reruns the stages that use it and no others.

It needs nothing but the standard library, and gives the same value under every Python that the project runs on.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
FORMAT = 1  # of tables and HDF5 files: raise it when recurrence.storage writes or reads numbers in another way
SILENT = (
    "__init__",  # names for use by hand
    "configuration",
    "job",
    "machine",
    "origins",
    "records",
    "states",
    "storage",
)  # modules that compute no number
CONSTANTS = "names"  # the module of constants; only those that are imported count
TELLERS = ("print", "warn", "show")  # calls that only tell something
UNFOLLOWED = ("importlib", "runpy", "exec", "eval", "__import__")

Code = str | tuple["Code", ...]


def fingerprint(script: Path) -> str:
    """A hash of a rule's script and of every module of this package that it imports, directly or not.

    Only what can change a number counts. Comments, docstrings, layout, what is printed, the messages of errors and the
    modules in :data:`SILENT` do not: the configuration's values are parameters of the rules, and the format of files
    has the version :data:`FORMAT`. Raises ``ValueError`` for an import that can't be followed.
    """
    codes: dict[str, Code] = {}
    constants: set[str] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if (name := _name(path)) in codes:
            continue
        codes[name], nodes = _parsed(path.read_text("utf-8"))
        for node in nodes:
            _refuse_unfollowed(node, path)
            if isinstance(node, ast.ImportFrom) and node.module == f"{PACKAGE.name}.{CONSTANTS}":
                constants |= {alias.name for alias in node.names}
            else:
                waiting += _imported(node, path)
    if constants and CONSTANTS not in codes:
        codes[CONSTANTS] = _constants((PACKAGE / f"{CONSTANTS}.py").read_text("utf-8"), constants)
    text = repr((FORMAT, sorted(codes.items())))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _parsed(text: str) -> tuple[Code, list[ast.AST]]:
    """What counts of a module, and its imports and other names that may run more code."""
    tree = ast.parse(text)
    return _code(tree), [node for node in _counted(tree) if _runs_more(node)]


def _runs_more(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "id", "") in UNFOLLOWED


# --- imports -------------------------------------------------------------------------------------


def _name(path: Path) -> str:
    """A module's dotted name in the package, or a script's name."""
    if path.is_relative_to(PACKAGE):
        return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return f"{path.stem}.py"


def _imported(node: ast.AST, path: Path) -> Iterator[Path]:
    """The files of this project that an import runs, without those of the modules in :data:`SILENT`."""
    here = PACKAGE.parent
    dotted: list[str] = []
    match node:
        case ast.Import(names=names):
            dotted = [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            if level:
                here = path.parents[level - 1]
            start = f"{module}." if module else ""
            dotted = [*([module] if module else []), *(f"{start}{alias.name}" for alias in names)]
    for each in dotted:
        parts = each.split(".")
        for length in range(1, len(parts) + 1):
            place = here.joinpath(*parts[:length])
            for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
                if file.is_file() and not _is_silent(file):
                    yield file


def _is_silent(path: Path) -> bool:
    return path.is_relative_to(PACKAGE) and _name(path).split(".")[0] in SILENT


def _refuse_unfollowed(node: ast.AST, path: Path) -> None:
    match node:
        case ast.Import(names=[*names]):
            used = [alias.name.split(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module)) if not node.level:
            used = [module.split(".")[0]]
        case ast.Name(id=name):
            used = [name]
        case _:
            return
    if found := set(used).intersection(UNFOLLOWED):
        raise ValueError(
            f"{path}, line {node.lineno}: what {found.pop()} runs cannot be followed, so that results could be stale: "
            "use a plain import"
        )


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
        case ast.Raise(exc=ast.Call(func=error)) | ast.Raise(exc=error):  # without the message
            return ("Raise", _code(error))
        case ast.Call(func=ast.Name(id="reading")):  # it only words what goes wrong
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
        case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))):
            return name in TELLERS and not any(isinstance(n, ast.NamedExpr) for n in ast.walk(item))
        case ast.If(test=test, body=body, orelse=[]):
            return _is_for_types(test) or (_asks_only(test) and all(map(_is_idle, body)))
        case ast.ImportFrom(module=str(module), level=0):
            package, _, name = module.partition(".")
            return package == PACKAGE.name and name.split(".")[0] in SILENT
        case _:
            return False


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _asks_only(test: ast.expr) -> bool:
    """Whether a condition changes nothing: it names no new value, and calls nothing but whether progress is due."""
    for node in ast.walk(test):
        due = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "due"
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Call) and not due:
            return False
    return True


def _counted(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree that can run, imports within functions too."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if not (isinstance(child, ast.If) and not child.orelse and _is_for_types(child.test)):
                waiting.append(child)


def _constants(text: str, wanted: set[str]) -> Code:
    """The assignments of the ``wanted`` constants, and of those that they are made from."""
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
