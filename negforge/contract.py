"""What an operator's file says of itself, and what it may yield: the whole surface an operator is written against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import polars as pl

from negforge.errors import UsageError, did_you_mean, listed
from negforge.records import Label, Opposition, Table

Scope = Literal["row", "anchor", "table"]
Cost = Literal["free", "model", "exec"]
Verdict = Literal["negative", "positive", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Declares:
    """The declaration at the head of an operator's file: literals and bare names only, so that it is read unimported.

    version: raised when the same input and seed give other rows. scope: what one call sees: any rows (`row`), all rows of
    an anchor (`anchor`), or a narrow table of all rows (`table`). reads, writes: kinds of table.
    Generators: `label`, `opposition` and `evidence` of a fresh row; `verifiers` run after it; `candidates` is a regular
    expression (Rust dialect) that runs over the whole column first; `edits` says that it yields `Edit`s of a text; `tags` that its
    batch is to have the column `positive_tags` (see `tagging`), made of the rows it is handed where the input lacks it. One of scope
    `row` is asked for `num_negatives` candidates a row, in order of preference, and asked again for more of rows some of whose
    candidates were vetoed: it begins with the same ones then.
    Verifiers: `proves` lists the verdicts that decide alone, `doubts` those that only make a negative `unknown` until a vote or
    a proof decides; `columns` are the columns it looks at.
    fixed: settings of a library that cannot be changed but belong in the record.
    any_of: options, each None by default, of which one at least is to be given. needs: for an option that means nothing alone,
    the one it goes with.
    fits: of a stage that takes its thresholds from the rows it sees: over what it kept they are others, and it may drop more.
    draws: of a miner of a corpus: whether what it leaves open may be drawn from it at random.
    least_rows: of a batch, where a call costs much by itself, such as a pass over a corpus.
    bar: share of its negatives that a generator must show to be valid, on judged rows; 0 where none is stated. below: of an operator
    that is off unless `below_bar` is asked for: why, and by what figures, in a sentence.
    formats: of an exporter whose trainer reads only some forms of file: these, the first its example's. `layouts` are those of each
    value of its option `layout`, where they differ. A .json is one array of the rows, or what `document` says, with {rows} and
    {corpus}, the folder of the texts that they name, in their places. beside: what else lies in that folder, files by name; the
    value of an option stands for its name in braces, as JSON.
    """

    version: int
    scope: Scope
    reads: type[Table] | None = None
    writes: type[Table] | None = None
    cost: Cost = "free"
    languages: tuple[str, ...] = ()
    label: Label = "negative"
    opposition: Opposition = "neutral"
    evidence: tuple[str, ...] = ()
    verifiers: tuple[str, ...] = ()
    candidates: str = ""
    edits: bool = False
    tags: bool = False
    proves: tuple[Verdict, ...] = ()
    doubts: tuple[Verdict, ...] = ()
    columns: tuple[str, ...] = ()
    fixed: dict[str, Any] = field(default_factory=dict)
    any_of: tuple[str, ...] = ()
    needs: dict[str, str] = field(default_factory=dict)
    fits: bool = False
    formats: tuple[str, ...] = ()
    least_rows: int = 1
    draws: bool = True
    bar: float = 0.0
    below: str = ""
    layouts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    document: str = "{rows}"
    beside: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that mean nothing. Raises UsageError."""
        for problem, mend in self._problems():
            raise UsageError(f"DECLARES {problem}", mend=mend)

    def _problems(self) -> Iterator[tuple[str, str]]:
        if type(self.version) is not int or self.version < 1:
            yield f"version {self.version!r}, which is no whole number from 1", "write version=1"
        for name, values in _CLOSED.items():
            value = getattr(self, name)
            if value not in values:
                yield (
                    f"{name} {value!r}, which is none of {listed(values)}",
                    did_you_mean(str(value), values, f"write {name}={values[0]!r}"),
                )
        for name in ("languages", "evidence", "verifiers", "proves", "columns", "any_of"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
                yield f"{name} {value!r}, which is no tuple of texts", f'write {name}=("one",), with the comma'
        if isinstance(self.bar, bool) or not isinstance(self.bar, int | float) or not 0 <= self.bar <= 1:
            yield f"bar {self.bar!r}, which is no share", "write a share from 0 to 1, such as bar=0.97"
        if not isinstance(self.below, str) or (self.below and not self.bar):
            yield f"below {self.below!r} without a bar that it is below of", 'write bar=0.95, below="why, and by what figures."'
        for one in self.proves if isinstance(self.proves, tuple) else ():
            if one not in get_args(Verdict):
                yield f"that it proves {one!r}, which is no verdict", f"verdicts: {listed(get_args(Verdict))}"
        for name in ("reads", "writes"):
            kind = getattr(self, name)
            if kind is not None and not (isinstance(kind, type) and issubclass(kind, Table)):
                yield f"{name} {kind!r}, which is no kind of table", f"from negforge.records import Pairs; {name}=Pairs"
        try:
            pl.Series([""]).str.contains(self.candidates)
        except (pl.exceptions.PolarsError, TypeError) as error:
            problem = next((line for line in str(error).splitlines() if line.startswith("error: ")), str(error)).removeprefix("error: ")
            yield f"candidates that are no regular expression: {problem}", "it is of the Rust dialect: no look-around, no back-references"


_CLOSED: dict[str, tuple[str, ...]] = {
    "scope": get_args(Scope),
    "cost": get_args(Cost),
    "label": get_args(Label),
    "opposition": get_args(Opposition),
}


class Edit(NamedTuple):
    """One change to a row's text: characters start to end become `new`."""

    row_id: str
    start: int
    end: int
    new: str


class Refusal(NamedTuple):
    """Why a row gives no negative. `value` is what condemned it."""

    row_id: str
    reason: str
    value: str = ""


class Chosen(NamedTuple):
    """What a miner chose: its rows, the anchors it refuses (`row_id` is the anchor's), and the candidates it passed over, by reason.

    pairs: what it found out about the batch's own rows, such as their positives' scores: `id` and columns that go to each candidate's row.
    closed: says of rows (anchor_id, corpus_row) which are not to be drawn at random either where slots are left open, such as texts of
    the anchor's own class.
    """

    rows: pl.DataFrame
    refusals: Sequence[Refusal] = ()
    passed: Counter[str] = Counter()  # noqa: RUF012 - a named tuple's default, which nobody changes
    pairs: pl.DataFrame | None = None
    closed: Callable[[pl.DataFrame], pl.Series] | None = None


class Skipped(NamedTuple):
    """Source lines that make no row, yielded by a reader beside its frames so that they are counted."""

    reason: str
    rows: int


class Exported(NamedTuple):
    """What a trainer reads, and, row for row, where it came from if the layout cannot say it.

    Rows that did not fit stand in `dropped`, with reasons. Where rows name their texts by id, `corpus` has these, ids in the first
    column: each as often as it is named, since the runner writes each once.
    """

    rows: pl.DataFrame
    provenance: pl.DataFrame | None = None
    dropped: pl.DataFrame | None = None
    corpus: pl.DataFrame | None = None


RELAXED = "relaxed"
SHORTAGE = "shortage"  # in the evidence of a negative that was drawn for want of a better one
WRITTEN = ("perturb.", "rewrite.", "respond.")  # families whose operators write a text instead of choosing one
# Of those, the ones that put what is right for one anchor before another: it is no positive of all.
EXCHANGING = ("perturb.slot", "perturb.options", "perturb.label")


def drops(reasons: pl.Series, values: pl.Series | None = None, notes: pl.Series | None = None) -> pl.DataFrame:
    """A filter's answer, one row for each row of the batch: a null reason keeps it.

    notes: what is to be counted of rows that stay although something spoke against them, such as `no-score`. A row that is noted
    as `relaxed` carries that word in its evidence.
    """
    empty = pl.Series([None] * len(reasons), dtype=pl.String)
    found = pl.DataFrame({"drop_reason": reasons, "drop_value": empty if values is None else values.cast(pl.String)})
    return found if notes is None else found.with_columns(notes.alias("note"))
