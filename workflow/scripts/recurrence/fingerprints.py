"""Fingerprints of the code that a rule runs, so that an edit reruns only the stages that use it."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent
VALUES = "configuration"  # the part of the package whose values are in the rules' parameters


def fingerprint(script: Path) -> str:
    """A hash of a rule's script and of all modules of this package that it imports, directly or indirectly.

    Comments, docstrings and layout do not count. The typed blocks of the configuration do not count either: they
    compute no number, and their values are parameters of the rules.
    """
    trees: dict[Path, ast.Module] = {}
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in trees:
            trees[path] = ast.parse(path.read_text("utf-8"))
            waiting += _imported(trees[path])
    digest = hashlib.sha256()
    for path in sorted(trees):
        digest.update(path.name.encode())
        digest.update(ast.unparse(_without_docstrings(trees[path])).encode())
    return digest.hexdigest()[:16]


def _imported(tree: ast.Module) -> Iterator[Path]:
    """The modules of this package that a module imports."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=PACKAGE.name, names=names):
                yield from (PACKAGE / f"{alias.name}.py" for alias in names if alias.name != VALUES)
            case ast.ImportFrom(module=str(module)) if module.startswith(f"{PACKAGE.name}."):
                name = module.removeprefix(f"{PACKAGE.name}.")
                if name.split(".")[0] != VALUES:
                    yield PACKAGE / f"{name}.py"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        match node:
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str())), *rest] as body)
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str())), *rest] as body)
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str())), *rest] as body)
            ):
                body[:] = rest or [ast.Pass()]
    return tree
