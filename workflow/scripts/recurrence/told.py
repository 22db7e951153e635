"""Whether code only tells something, so that an edit of it changes no number: printed lines, messages of errors.

It needs nothing but the standard library, as :mod:`recurrence.fingerprints` uses it.
"""

import ast
import re

TELLERS = ("print", "progress.show", "warnings.warn")
# What is told may have only these calls, of functions without keywords and of methods without arguments.
FUNCTIONS = re.compile(r"len|round|Path|messages\.\w+")
METHODS = re.compile(r".*\.(due|item|stat|sum)")
CHANGING = (  # it must not have these, which name a value or use up an iterator
    *(ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom),
    *(ast.Starred, ast.comprehension, ast.In, ast.NotIn),
)


def dotted(node: ast.expr) -> str:
    """A name with its attributes, such as ``a.b.c``; ``.c`` for an attribute of anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case _:
            return ""


def changes_nothing(*expressions: ast.AST) -> bool:
    """Whether expressions change neither a name nor an iterator, nor anything by a call."""
    for node in (node for each in expressions for node in ast.walk(each)):
        if isinstance(node, CHANGING):
            return False
        if isinstance(node, ast.Call):
            bare = METHODS.fullmatch(dotted(node.func)) and not node.args
            if node.keywords or not (bare or FUNCTIONS.fullmatch(dotted(node.func))):
                return False
    return True


def is_told(call: ast.Call) -> bool:
    """Whether a call only tells something, not in a file, and its arguments change nothing."""
    if dotted(call.func) not in TELLERS or any(each.arg == "file" for each in call.keywords):
        return False
    return changes_nothing(*call.args, *call.keywords)


def is_message(argument: ast.AST) -> bool:
    """Whether an argument of an error is its message."""
    match argument:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.Call(func=function):
            return dotted(function).startswith("messages.")
        case _:
            return False
