"""Annotations for the keys of the configuration: types with ranges and units, and what a change makes again."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetPydanticSchema
from pydantic_core import PydanticCustomError, core_schema

from recurrence.names import CLASSES


def _that(holds: Callable[[Any], object], what: str, **schema: Any) -> tuple[Any, ...]:
    """A value for which ``holds`` is true, which is ``what`` in words and ``schema`` in JSON schema."""

    def checked(value: Any) -> Any:
        if not holds(value):
            raise PydanticCustomError("wrong", "should be {what}", {"what": what})
        return value

    return AfterValidator(checked), Field(title=what, json_schema_extra=schema)


def _text(pattern: str, what: str) -> tuple[Any, ...]:
    return _that(partial(re.fullmatch, pattern), what, pattern=rf"^({pattern})$(?!\n)")


def unit(name: str) -> Any:
    """The unit of a key, for its description."""
    return Field(json_schema_extra={"unit": name})


def remade(what: str) -> Any:
    """What is made again when the key changes, or any key of the block."""
    return Field(json_schema_extra={"made again": what})


_ONCE = _that(
    lambda values: len(values) == len({*values}), "a list without repeats", uniqueItems=True
)


def some_of(names: Sequence[str], at_least: int = 1) -> tuple[Any, ...]:
    """A list of some of ``names``, each once."""
    items = core_schema.list_schema(
        core_schema.literal_schema([*names]), min_length=at_least or None
    )
    return GetPydanticSchema(lambda *_: items), *_ONCE


_PATH = r"(?!~)(?!\./)(?!.*//)[^\s\x00-\x1f{}]([^\x00-\x1f{}]*[^\s\x00-\x1f{}/])?"
_A_NAME = "a name of up to 64 letters, digits and . _ - that begins with a letter or digit"
_A_PATH = "a path without { }, //, a leading ./ or ~, or a slash at the end"
Name = Annotated[str, *_text(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", _A_NAME)]
Path = Annotated[str, *_text(_PATH, _A_PATH)]
Folder = Annotated[str, *_text(rf"(?!\.$){_PATH}", _A_PATH)]
AnyFolder = Annotated[
    str, *_text(r"[^\s\x00-\x1f~]([^\x00-\x1f]*[^\s\x00-\x1f])?", "a folder, without a leading ~")
]
Device = Annotated[str, *_text(r"auto|cpu|cuda(:[0-9]+)?", "auto, cpu, cuda or cuda:N")]
Files = Annotated[list[Path], *_ONCE, Field(title=f"each once, each {_A_PATH}")]
ODD = _that(lambda number: number % 2, "odd", **{"not": {"multipleOf": 2}})
_CLASS = Annotated[str, *_text(r"\S|\S[^\n]{0,38}\S", "a name of up to 40 letters")]
_TEN = _that(
    lambda names: len(names) == CLASSES,
    "ten names, as other numbers of classes are not supported",
    minItems=CLASSES,
    maxItems=CLASSES,
)
Classes = Annotated[list[_CLASS], *_ONCE, *_TEN]
_SUM = Annotated[str, *_text(r"[0-9a-f]{64}  \S+", "a line of sha256sum: a checksum and a file")]
Checksums = Annotated[list[_SUM], *_ONCE, Field(title="lines of sha256sum")]
Scenes = Annotated[int, unit("scenes")]
Iterations = Annotated[int, Field(le=10**9), unit("iterations")]
Repeats = Annotated[int, Field(ge=1, le=10000)]
Channel = Annotated[int, Field(ge=1, le=1024), unit("feature maps")]
_PRECISION = """float32 is that of the paper; bfloat16 is mixed precision, which is faster on a GPU or CPU that computes
in it. auto is bfloat16 there and float32 elsewhere: each job chooses, and writes which it is to its log and outputs."""
Precision = Annotated[
    Literal["auto", "bfloat16", "float32"], Field(description=_PRECISION.replace("\n", " "))
]

REMAKES_SCENES = remade("scenes and everything made from them")
REMAKES_NETWORKS = remade("networks and everything made with them")
REMAKES_NEW_NETWORKS = remade("only new networks; tables, figures, the report")
REMAKES_TEST_SCENES = remade("test scenes, recordings and all decoding")
REMAKES_RECORDINGS = remade("recordings and decoding from them")
REMAKES_READ_OUTS = remade("recordings and all decoding")
REMAKES_NOTHING = remade("nothing")
REMAKE_REFUSED = remade(
    "nothing: refused, as the networks that are there would have to be trained again"
)
