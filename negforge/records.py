"""The kinds of table: their columns, types and meanings, and the `Table` that stages and operators are handed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import polars as pl
import pyarrow as pa
from pydantic_core import from_json

from negforge import rng, text
from negforge.badrows import PLACE, TEXT, BadRows
from negforge.errors import InputError, listed, near
from negforge.formats import as_type, column_of, fitted

Label = Literal["negative", "unknown", "positive"]
Opposition = Literal["contradiction", "neutral", "unrelated", "degenerate", "noisy"]

_EDGE = pl.Struct({"head": pl.String, "relation": pl.String, "tail": pl.String})
_TOKEN: dict[str, type[pl.DataType]] = {
    "start": pl.Int64,
    "end": pl.Int64,
    "tag": pl.String,
    "head": pl.Int64,
    "relation": pl.String,
    "entity": pl.String,
}
DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "list of text": pl.List(pl.String),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "list of edges": pl.List(_EDGE),
    "list of tokens": pl.List(pl.Struct(_TOKEN)),
    "edit": pl.Struct({"start": pl.Int64, "end": pl.Int64, "old": pl.String, "new": pl.String}),
}


@dataclass(frozen=True)
class Column:
    """A declared column. `null`: whether a kept row may leave it out."""

    name: str
    type: str
    meaning: str
    required: bool = True
    null: bool = False

    @property
    def dtype(self) -> pl.DataType:
        """The Polars type of the column."""
        return DTYPES[self.type]


def _optional(name: str, dtype: str, meaning: str) -> Column:
    return Column(name, dtype, meaning, required=False, null=True)


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    identity: the columns a row's own id is made of when the source brings none. clusters: the column whose equal values
    belong together. digest: the columns of `rows_digest`. families: prefixes of reserved column names, with their type.
    either: of a side input that may be of any of several kinds, these.
    """

    name: str
    summary: str
    columns: tuple[Column, ...]
    identity: tuple[str, ...]
    clusters: str = "id"
    digest: tuple[str, ...] = ()
    families: tuple[tuple[str, str, str], ...] = ()
    either: tuple[Kind, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether a table of the kind of that name is one of this."""
        return name in {self.name, *(kind.name for kind in self.either)}

    def column(self, name: str) -> Column | None:
        """The declaration of a column, families included, or None for a column the kind does not know."""
        for column in self.columns:
            if column.name == name:
                return column
        for prefix, dtype, meaning in self.families:
            if name.startswith(prefix):
                return _optional(name, dtype, meaning)
        return None

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the required columns."""
        return tuple(column.name for column in self.columns if column.required)

    def ordered(self, names: list[str]) -> list[str]:
        """Column names in the kind's order: declared ones first, the rest as they came."""
        declared = [column.name for column in self.columns if column.name in names]
        return declared + [name for name in names if name not in declared]

    def json_schema(self) -> dict[str, object]:
        """The JSON Schema of one row, as shipped in `schemas/`."""
        properties = {column.name: {**_json_type(column), "description": column.meaning} for column in self.columns}
        patterns = {
            f"^{prefix}": {**_json_type(_optional(prefix, dtype, meaning)), "description": meaning}
            for prefix, dtype, meaning in self.families
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.summary,
            "type": "object",
            "properties": properties,
            **({"patternProperties": patterns} if patterns else {}),
            "required": list(self.required),
            "additionalProperties": True,
        }


_EDGE_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("head", "relation", "tail")},
    "required": ["head", "relation", "tail"],
}
_JSON: dict[str, dict[str, object]] = {
    "text": {"type": "string"},
    "list of text": {"type": "array", "items": {"type": "string"}},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "list of edges": {"type": "array", "items": _EDGE_SCHEMA},
    "list of tokens": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {name: {"type": "integer" if dtype == pl.Int64 else "string"} for name, dtype in _TOKEN.items()},
            "required": list(_TOKEN),
        },
    },
    "edit": {
        "type": "object",
        "properties": {
            "start": {"type": "integer", "minimum": 0},
            "end": {"type": "integer", "minimum": 0},
            "old": {"type": "string"},
            "new": {"type": "string"},
        },
        "required": ["start", "end", "old", "new"],
    },
}


def _json_type(column: Column) -> dict[str, object]:
    schema = dict(_JSON[column.type])
    if column.null:
        schema["type"] = [schema["type"], "null"]
    return schema


_ID = Column("id", "text", "The row's id: the source's own as text, else the 128-bit digest of its content, 32 hex digits.")
_ANCHOR_ID = Column("anchor_id", "text", "Rows with the same value have the same anchor.")
_GROUP = _optional("group", "text", "The document, class or concept the row belongs to.")
DROP_BLOCK = (
    _optional("dropped_by", "text", "The operator that dropped the row; null for a kept row."),
    _optional("drop_reason", "text", "Why it was dropped."),
    _optional("drop_value", "text", "The value that condemned it."),
)
DROP_NAMES = tuple(column.name for column in DROP_BLOCK)

PAIRS = Kind(
    "pairs",
    "An anchor and a positive, one row a pair.",
    (
        _ID,
        _ANCHOR_ID,
        Column("anchor", "text", "The query, claim, premise or caption."),
        Column("positive", "text", "A text that is right for the anchor."),
        _optional("positive_id", "text", "The positive's id in a corpus."),
        _GROUP,
        _optional("relevance", "number", "The judged relevance of the positive."),
        _optional("image", "text", "Path or address of the image of the pair."),
        _optional("positive_tags", "list of tokens", "Tokens of the positive in characters, with parts of speech; made by `ingest tags`."),
    ),
    identity=("anchor", "positive"),
    clusters="anchor_id",
    digest=("id", "anchor_id", "anchor", "positive"),
)
CORPUS = Kind(
    "corpus",
    "Texts to choose from.",
    (_ID, Column("text", "text", "The text."), _optional("title", "text", "The title; the full text is title, a space, text."), _GROUP),
    identity=("text",),
    digest=("id", "title", "text"),
)
TRIPLES = Kind(
    "triples",
    "Facts of a knowledge graph.",
    (
        _ID,
        Column("head", "text", "The id of the head entity."),
        Column("relation", "text", "The id of the relation."),
        Column("tail", "text", "The id of the tail entity."),
        _optional("split", "text", "The split the fact belongs to."),
    ),
    identity=("head", "relation", "tail"),
    digest=("id", "head", "relation", "tail"),
)
CONCEPTS = Kind(
    "concepts",
    "Concepts of a taxonomy.",
    (
        _ID,
        Column("name", "text", "The preferred label."),
        Column("parents", "list of text", "Ids of the broader concepts; empty at a root."),
        _optional("synonyms", "list of text", "Other labels."),
        _optional("related", "list of text", "Ids of related concepts."),
        _optional("matches", "list of text", "Ids of equal concepts elsewhere."),
        _optional("description", "text", "The definition."),
        _optional("deprecated", "boolean", "Whether the concept is withdrawn."),
    ),
    identity=("name", "parents"),
    digest=("id", "name", "parents"),
)
GRAPHS = Kind(
    "graphs",
    "Explanation graphs.",
    (
        _ID,
        Column("anchor", "text", "The text the graph explains."),
        Column("edges", "list of edges", "The edges."),
        _optional("stance", "text", "The stance the graph supports or counters."),
        _optional("context", "text", "The belief or premise the anchor answers."),
    ),
    identity=("anchor", "edges"),
    digest=("id", "anchor", "edges"),
)
ANSWERS = Kind(
    "answers",
    "Responses to prompts.",
    (
        _ID,
        Column("prompt_id", "text", "Rows with the same value answer the same prompt."),
        Column("prompt", "text", "The prompt."),
        Column("response", "text", "The response."),
        _optional("reference", "text", "The right answer."),
        _optional("model", "text", "The model that answered."),
        _optional("finish_reason", "text", "Why the answer ended."),
        _optional("logprob", "number", "The log-probability of the response."),
        _optional("steps", "list of text", "The steps of the response."),
    ),
    identity=("prompt", "response"),
    clusters="prompt_id",
    digest=("id", "prompt_id", "prompt", "response"),
    families=(("verdict_", "text", "A verifier's verdict: negative, positive or unknown."),),
)
_NEGATIVES_HEAD = (
    _ID,
    _ANCHOR_ID,
    Column("anchor", "text", "The query, claim, premise or caption."),
    Column("positive", "text", "The positive of the source pair."),
    Column("negative", "text", "The text that is wrong for the anchor."),
    Column("label", "text", "negative, unknown, or positive for a proven false negative."),
    Column("opposition", "text", "contradiction, neutral, unrelated, degenerate or noisy."),
    Column("evidence", "list of text", "Why the label may be believed."),
)
_LINEAGE = (
    Column("source_id", "text", "The id of the row it came from."),
    Column("source_ids", "list of text", "The ids of all its parents."),
    Column("initial_label", "text", "The label the generator gave, before any verdict."),
    Column("operator", "text", "The generator."),
    Column("operator_version", "integer", "The generator's version."),
    Column("options_digest", "text", "Digest of every option that changes rows and of the side inputs the generator read."),
    Column("seed", "integer", "The run's seed."),
    Column("draw", "integer", "Place among the source row's candidates, from 0; -1 for a refusal."),
)
_TWIN = (
    *(
        _optional(name, "text", meaning)
        for name, meaning in (
            ("head", "The head of the source triple."),
            ("relation", "The relation of the source triple."),
            ("tail", "The tail of the source triple."),
            ("negative_head", "The head of the corrupted triple."),
            ("negative_relation", "The relation of the corrupted triple."),
            ("negative_tail", "The tail of the corrupted triple."),
        )
    ),
    _optional("edges", "list of edges", "The edges of the source graph."),
    _optional("negative_edges", "list of edges", "The edges of the edited graph."),
)
NEGATIVES = Kind(
    "negatives",
    "A negative for an anchor, why it may be believed and where it came from.",
    (
        *_NEGATIVES_HEAD,
        *_LINEAGE,
        _optional("positive_id", "text", "The positive's id in a corpus."),
        _optional("negative_id", "text", "The negative's id in a corpus."),
        _optional("rank", "integer", "The candidate's rank in the miner's list, from 1."),
        _optional("miner", "text", "The miner, or miners, that found it."),
        _optional("offset_distance", "integer", "Characters between the negative and the nearest positive in their document."),
        _optional("edit", "edit", "The one change, in characters of the source text; re-applying it gives the negative."),
        _optional("position", "integer", "The place in reading order, where a schedule set one."),
        _optional("split", "text", "The split the row belongs to."),
        *_TWIN,
        *DROP_BLOCK,
    ),
    identity=("anchor", "positive", "negative"),
    clusters="anchor_id",
    digest=("id", "anchor", "positive", "negative", "label", "position"),
    families=(
        ("score_", "number", "A raw score: of the negative, of its positive (_positive), of the anchor's weakest (_weakest)."),
        ("verdict_", "text", "A verifier's verdict: negative, positive or unknown."),
    ),
)
EVALUATION = Kind("pairs or corpus", "Texts that a model is evaluated on.", (), (), either=(PAIRS, CORPUS))
KINDS = {kind.name: kind for kind in (PAIRS, CORPUS, TRIPLES, CONCEPTS, GRAPHS, ANSWERS, NEGATIVES)}


def kinds_of(columns: Iterable[str]) -> list[Kind]:
    """The kinds that a table with these columns may be, without those of which another asks for the same columns and more."""
    found = [kind for kind in KINDS.values() if {*kind.required} <= {*columns}]
    # The columns of negatives are those of pairs and more.
    return [kind for kind in found if not any({*kind.required} < {*other.required} for other in found)]


Batches = Callable[[int], Iterator[pl.DataFrame]]
Over = Callable[[Callable[[pl.DataFrame], pl.DataFrame], Iterable[pl.DataFrame]], Iterable[pl.DataFrame]]  # as `map`


class Table:
    """Rows of one kind: a batch in memory, or a whole side input that is read piece by piece.

    `table["id"]` is a column. `digest` names the content, whatever its row order or file format.
    """

    kind: ClassVar[Kind]

    def __init__(self, frame: pl.DataFrame | None = None, *, reader: Batches | None = None, digest: str = "") -> None:
        self._frame, self._reader, self.digest = frame, reader, digest
        self._normalised: dict[tuple[str, str], pl.Series] = {}

    @property
    def frame(self) -> pl.DataFrame:
        """All rows in memory."""
        if self._frame is None:
            self._frame = pl.concat([*self.batches()], how="vertical", rechunk=True)
        return self._frame

    def batches(self, rows: int = 10_000) -> Iterator[pl.DataFrame]:
        """The rows in pieces of at most `rows`."""
        if self._reader is not None and self._frame is None:
            yield from self._reader(rows)
        else:
            yield from self.frame.iter_slices(rows)

    def __getitem__(self, name: str) -> pl.Series:
        if self._frame is None:
            return pl.concat([batch.select(name) for batch in self.batches()])[name]
        return self._frame[name]

    def __contains__(self, name: str) -> bool:
        return name in self.frame.columns

    def __len__(self) -> int:
        return self.frame.height

    def normalised(self, name: str, language: str) -> pl.Series:
        """A text column in the form in which equal texts compare equal; computed once a batch."""
        key = (name, language)
        if key not in self._normalised:
            self._normalised[key] = text.normalised(self[name], language=language)
        return self._normalised[key]


class Pairs(Table):
    """Rows of `pairs`."""

    kind = PAIRS


class Corpus(Table):
    """Rows of `corpus`."""

    kind = CORPUS


class Triples(Table):
    """Rows of `triples`."""

    kind = TRIPLES


class Concepts(Table):
    """Rows of `concepts`."""

    kind = CONCEPTS


class Graphs(Table):
    """Rows of `graphs`."""

    kind = GRAPHS


class Answers(Table):
    """Rows of `answers`."""

    kind = ANSWERS


class Negatives(Table):
    """Rows of `negatives`."""

    kind = NEGATIVES


class Evaluation(Table):
    """Rows of `pairs` or of `corpus`, as a side input: of what there is, their anchors, positives or full texts."""

    kind = EVALUATION


TABLES: dict[str, type[Table]] = {cls.__name__: cls for cls in (Pairs, Corpus, Triples, Concepts, Graphs, Answers, Negatives)}


def full_text(frame: pl.DataFrame) -> pl.Series:
    """The text of corpus rows: title, a space, text; the text alone where there is no title."""
    if "title" not in frame.columns:
        return frame["text"]
    title = pl.col("title").str.strip_chars()
    whole = pl.when(title.str.len_bytes() > 0).then(title + " " + pl.col("text")).otherwise(pl.col("text"))
    return frame.select(whole.alias("text")).to_series()


def typed_empty(kind: Kind, names: list[str]) -> pl.DataFrame:
    """A frame of the kind with the named columns and no rows."""
    columns = {name: kind.column(name) for name in names}
    return pl.DataFrame(schema={name: column.dtype if column else pl.String for name, column in columns.items()})


_STRICT = BadRows()
_AS_THEY_ARE: Mapping[str, str] = {}


def conform(
    frame: pl.DataFrame,
    kind: Kind,
    where: str,
    first_row: int = 0,
    *,
    grows_ids: bool = True,
    bad: BadRows = _STRICT,
    called: Mapping[str, str] = _AS_THEY_ARE,
) -> pl.DataFrame:
    """Rows of a foreign table as rows of a kind: types cast, ids made, columns ordered.

    where: the file, for messages. first_row: the number of the frame's first row in it, from 0. Whole numbers in a text
    column become text; an empty text in an optional column, which is what CSV makes of null, becomes null. bad: takes rows
    with a required cell that is null or blank, or a cell that is not what its column holds. called: what the source calls
    the kind's columns. Raises InputError for an absent column, a row that `bad` does not take, or a column of another type.
    """
    if kind.name == "corpus" and "_id" in frame.columns and "id" not in frame.columns:
        frame = frame.rename({"_id": "id"})  # BEIR's: with ids of its own no positive would be known by its id
    needed = kind.identity if grows_ids else kind.required
    for name in needed:
        if name not in frame.columns:
            raise missing_column(name, frame.columns, where, has_flag=False)
    declared = [column for name in frame.columns for column in [kind.column(name)] if column is not None]
    for column in declared:
        if bad.most and frame[column.name].dtype == pl.String and column.dtype != pl.String:
            error = InputError(f"a value is not {column.type}", where, "mend the value or rename the column")
            frame = bad.sift(
                frame, _unparsable(frame[column.name], column), f"not-{column.type.replace(' ', '-')}", error, where, first_row
            )
    casts = [_cast(frame[column.name], column, where, first_row, called.get(column.name, column.name)) for column in declared]
    frame = frame.with_columns(casts)
    may_be_blank = [column.name for column in declared if column.null and column.dtype == pl.String]
    frame = frame.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in may_be_blank)
    given = [name for name in dict.fromkeys((*kind.identity, *kind.required)) if name in frame.columns]
    if bad.most:
        for name in given:
            error = InputError(f"column '{called.get(name, name)}' is null or blank")
            frame = bad.sift(frame, _blanks(frame, kind, name), f"blank-{name}", error, where, first_row)
    if "dropped_by" in frame.columns:
        block = (name for name in DROP_NAMES if name not in frame.columns)
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in block)
    if grows_ids:
        frame = _with_ids(frame, kind)
    for name in kind.required:
        if name not in frame.columns:
            raise missing_column(name, frame.columns, where, has_flag=False)
    refuse_blank({called.get(name, name): _blanks(frame, kind, name) for name in given}, where, first_row)
    if kind is NEGATIVES:
        _refuse_values(frame, where, first_row)
    return frame.select(name for name in kind.ordered(frame.columns) if name not in (PLACE, TEXT))


def _refuse_values(frame: pl.DataFrame, where: str, first_row: int) -> None:
    """Raise InputError for a label or an opposition that is not one of those there are."""
    for name, known in (("label", get_args(Label)), ("initial_label", get_args(Label)), ("opposition", get_args(Opposition))):
        bad = (~frame[name].is_in([*known])).fill_null(value=False).arg_true()
        if len(bad):
            place = f"{where} row {first_row + int(bad[0]) + 1}"
            raise InputError(f"'{frame[name][int(bad[0])]}' is no {name}", place, f"it is one of {listed(known)}")


_LONGEST_NAME = 80  # characters of a column's name in a message


def missing_column(name: str, columns: list[str], where: str, column: str = "", *, has_flag: bool = True) -> InputError:
    """The error for a column that is not there, with the nearest name. `name` is the flag's, `column` what it was given."""
    columns = [one if len(one) <= _LONGEST_NAME else f"{one[:_LONGEST_NAME]}..." for one in columns if one not in (PLACE, TEXT)]
    guess = near(column or name, columns)
    flag = name.replace("_", "-")
    if column and {one.strip() for one in column.split(",")} <= {*columns}:
        mend = f"--{flag} takes one column"
    elif has_flag:
        mend = f"pass --{flag} {guess}, or rename the column" if guess else f"pass --{flag} COLUMN"
    else:
        mend = f"rename the column {guess} to {name}" if guess else f"add the column {name}, or rename the one that it is"
        if not guess and name in ("anchor", "positive"):
            mend += "; a file of other columns is read by negforge ingest pairs FILE --anchor COLUMN --positive COLUMN"
    return InputError(f"column '{column or name}' is not in {where}", f"{where} has {listed(columns) or 'no column'}", mend)


def mapped(frame: pl.DataFrame, columns: dict[str, str], where: str, *, flags: dict[str, str] | None = None) -> pl.DataFrame:
    """The frame with some of its columns under the names of a kind, the others as they are.

    columns: the source's column for each name. flags: the flag that named it, where that is not the name. Raises
    InputError for a column that is not there, and where another column has the name already.
    """
    for name, column in columns.items():
        if column not in frame.columns:
            raise missing_column((flags or {}).get(name, name), frame.columns, where, column)
    used = set(columns.values())
    for name in columns:
        if name in frame.columns and name not in used:
            raise InputError(f"two columns claim '{name}'", f"{where} has one of that name", f"pass --rename {name}={free_name(name)}")
    return frame.drop(used).with_columns(frame[column].alias(name) for name, column in columns.items())


def _with_ids(frame: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    if "id" not in frame.columns:
        frame = frame.with_columns(rng.record_ids(kind.name, [frame[name] for name in kind.identity]))
    if kind.clusters not in frame.columns:
        own = "prompt" if kind.clusters == "prompt_id" else "anchor"
        frame = frame.with_columns(rng.text_ids(frame[own]).alias(kind.clusters))
    return frame


def _cast(values: pl.Series, column: Column, where: str, first_row: int, name: str) -> pl.Series:
    """A column as its declared type. name: what the source calls it."""
    if values.dtype == pl.String and column.dtype != pl.String:
        values = _parse(values, column, where, first_row, name)
    try:
        if _fits(values.dtype, column.dtype):
            return fitted(values, column.dtype)
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise InputError(f"column '{name}' is not {column.type}", f"{where}: {error}", "mend the values") from error
    mend = "convert the column" if column.required else f"convert the column, or pass --rename {name}={free_name(column.name)}"
    raise InputError(f"column '{name}' holds {_plain_type(values.dtype)}, not {column.type}", where, mend)


def _fits(have: pl.DataType, want: pl.DataType) -> bool:
    """Whether values of one type may stand for a declared one: nothing is rounded, parsed or left out."""
    if have in (want, pl.Null):
        return True
    if isinstance(want, pl.List) and isinstance(have, (pl.List, pl.Array)):
        return _fits(as_type(have.inner), as_type(want.inner))
    if isinstance(want, pl.Struct) and isinstance(have, pl.Struct):
        fields = {field.name: as_type(field.dtype) for field in have.fields}
        return len(fields) == len(want.fields) and all(
            field.name in fields and _fits(fields[field.name], as_type(field.dtype)) for field in want.fields
        )
    if want == pl.String:
        return have.is_integer() or have in (pl.Categorical, pl.Enum)
    return have.is_integer() if want == pl.Int64 else want == pl.Float64 and have.is_numeric()


def _parse(values: pl.Series, column: Column, where: str, first_row: int, name: str) -> pl.Series:
    """A column that a text format (CSV) carried as text; an empty cell is null."""
    wrong = _unparsable(values, column).arg_true()
    if len(wrong):
        row = int(wrong[0])
        place = f"{where} row {first_row + row + 1}, column {name}: {values[row][:60]!r}"
        raise InputError(f"a value is not {column.type}", place, "mend the value or rename the column")
    try:
        return column_of(values.name, [None if cell in (None, "") else _parsed(cell, column.type) for cell in values.to_list()])
    except ValueError:
        raise InputError(f"column '{name}' is not {column.type}", where, "mend the values or rename the column") from None


def _unparsable(values: pl.Series, column: Column) -> pl.Series:
    """Which cells of a text column are not what a declared column holds."""
    wrong = []
    for cell in values.to_list():
        try:
            _parsed(cell, column.type) if cell not in (None, "") else None
        except ValueError:
            wrong.append(True)
        else:
            wrong.append(False)
    return pl.Series(wrong, dtype=pl.Boolean)


def _parsed(cell: str, kind: str) -> object:
    if kind == "number":
        number = float(cell)
        if math.isinf(number) and "inf" not in cell.lower():
            raise ValueError("beyond 64 bits")
        return number
    found: object = from_json(cell.lower() if kind == "boolean" else cell)
    return found


def _plain_type(dtype: pl.DataType) -> str:
    if dtype.is_float():
        return "decimal numbers"
    names = {"List": "lists", "Array": "lists", "Struct": "records", "Boolean": "booleans", "String": "text"}
    return names.get(type(dtype).__name__, str(dtype).lower())


def _blanks(frame: pl.DataFrame, kind: Kind, name: str) -> pl.Series:
    """Which kept rows lack a required cell. A dropped row may lack what made it be dropped."""
    column = kind.column(name)
    # Published corpora hold blank texts, which are never chosen; a blank answer is a negative like any other.
    may_be_blank = column is None or column.dtype != pl.String or name in ("text", "negative", "response")
    bad = frame[name].is_null() if may_be_blank else blank(frame[name])
    return bad & frame["dropped_by"].is_null() if "dropped_by" in frame.columns else bad


def blank(texts: pl.Series) -> pl.Series:
    """Which texts are null, empty or white space."""
    return (texts.str.strip_chars().str.len_bytes() == 0).fill_null(value=True)


def refuse_blank(bad: Mapping[str, pl.Series], where: str, first_row: int) -> None:
    """Raise InputError for the rows where columns are null or blank, naming each column and its first row.

    bad: for each column, which rows. first_row: as in `conform`.
    """
    found: dict[str, str] = {}
    for name, wrong in bad.items():
        rows = wrong.arg_true()
        if len(rows):
            more = f", and {len(rows) - 1} of the {len(wrong) - int(rows[0]) - 1} rows after it" if len(rows) > 1 else ""
            found[name] = f"row {first_row + int(rows[0]) + 1}{more}"
    if len(found) == 1:
        name, place = found.popitem()
        raise InputError(f"column '{name}' is null or blank", f"{where} {place}", "give the value, or drop the row by --max-bad-rows N")
    if found:
        places = "; ".join(f"'{name}' in {place}" for name, place in found.items())
        what = "columns " + " and ".join(f"'{name}'" for name in found) + " are null or blank"
        raise InputError(what, f"{where}: {places}", "give the values or remove the rows")


def check_collisions(columns: list[str], kind: Kind, where: str) -> None:
    """Refuse source columns whose name the tool reserves for something else, naming the rename that mends it.

    `kind` is what the rows become; an extra column of anything but a corpus must also survive as a column of negatives.
    """
    for name in columns:
        if kind.column(name) is not None:
            continue
        reserved = kind.name != "corpus" and NEGATIVES.column(name) is not None
        # The tool's own scratch columns; pandas' `__index_level_0__` is a plain extra column.
        if reserved or (name.startswith("__") and not name.endswith("__")):
            mend = f"pass --rename {name}={free_name(name)}"
            raise InputError(f"column '{name}' has a reserved name", f"{where}: negforge writes '{name}' itself", mend)


def free_name(name: str) -> str:
    """The name to suggest for a source's column whose own is taken; `source_id` is taken too."""
    found = f"source_{name}"
    return found if NEGATIVES.column(found) is None else f"given_{name}"
