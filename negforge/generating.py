"""Turns what a generator yields for a batch into rows: candidates verified in order of preference until k stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import answers, promoting, rng, tagging
from negforge.contract import SHORTAGE, Chosen, Edit, Refusal
from negforge.drawing import drawn
from negforge.errors import InputError
from negforge.labels import PROMOTED, column_of, labelled, without_refuted
from negforge.prepared import Prepared
from negforge.records import DROP_NAMES, NEGATIVES, Negatives, Table
from negforge.registry import Operator
from negforge.report import Counts, score_steps
from negforge.rng import Rng
from negforge.text import normalised

Rows = NDArray[np.int64]
# What a `no-site` row carries: ids and reason, no text.
_OF_SILENT = {
    *("id", "anchor_id", "label", "opposition", "evidence", *DROP_NAMES),
    *("source_id", "source_ids", "initial_label", "operator", "operator_version", "options_digest", "seed", "draw"),
}
_ANCHORS_AT_ONCE = 1024  # for which texts are drawn and looked at
_MOST = 1 << 40  # more slots than any machine has rows for; keeps arithmetic in 64 bits


@dataclass(frozen=True)
class Generation:
    """A generator and the free verifiers that run after it."""

    generator: Prepared
    verifiers: tuple[Prepared, ...]

    @property
    def verdicts(self) -> list[str]:
        """The verdict columns of the output."""
        return [column_of(verifier.operator.name) for verifier in self.verifiers]


@dataclass
class Units:
    """What slots are counted by: source rows, or anchors when mining.

    frame: one row a unit, which stands for it. members: the batch's rows, with the unit each belongs to.
    """

    frame: pl.DataFrame
    members: Rows


@dataclass
class Candidates:
    """Candidates of a batch, by unit in order of preference.

    unit: the unit of each. draw: its place among the unit's candidates, from 0. columns: what else the operator gave.
    refusals: reason and value by unit. passed: candidates the operator passed over, by reason. texts are looked up only for
    the candidates that are tried. pairs: what a miner says of the batch's rows themselves. filled: the candidates from this place on
    were drawn at random, for want of better ones. closed: see `Chosen`.
    """

    unit: Rows
    draw: Rows
    columns: pl.DataFrame
    refusals: dict[int, tuple[str, str]] = field(default_factory=dict)
    passed: Counter[str] = field(default_factory=Counter)
    pairs: pl.DataFrame | None = None
    filled: int = _MOST
    closed: Callable[[pl.DataFrame], pl.Series] | None = None


def generate_batch(work: Generation, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    """Rows of `negatives` for a batch of records: accepted and vetoed candidates, and refused rows, with counts in slots."""
    generator = work.generator
    units = _units(generator, frame)
    k = min(generator.settings.num_negatives, _MOST)
    found, tried, counts = _fill(work, units, frame, _candidates(generator, units, frame, k), k)
    counts.seen = frame.height
    rows = _assemble(work, frame, units, found, tried)
    refused = _refused(work, frame, units, found, tried, counts)
    made = pl.concat([rows, refused], how="vertical") if refused.height else rows
    counts.kept = rows.height
    counts.scores = score_steps(rows)
    if generator.settings.promote:
        raised = rows.filter(promoting.promoted(rows))
        if generator.operator.declares.label == "positive":
            counts.promoted[generator.operator.name] += raised.height
        for verifier in work.verifiers if generator.operator.declares.label != "positive" else ():
            counts.promoted[verifier.operator.name] += raised.filter(pl.col(column_of(verifier.operator.name)) == "positive").height
    for label, number in rows["label"].value_counts().iter_rows():
        counts.labels[label] += number
    return made, counts


def _units(generator: Prepared, frame: pl.DataFrame) -> Units:
    if generator.operator.declares.scope == "row":
        return Units(frame, np.arange(frame.height, dtype=np.int64))
    cluster = frame["anchor_id"]
    first = frame.with_row_index("__row").group_by("anchor_id", maintain_order=True).agg(pl.col("__row").first())
    numbers = pl.DataFrame({"anchor_id": cluster}).join(
        first.select("anchor_id").with_row_index("__unit"), on="anchor_id", how="left", maintain_order="left"
    )
    members = numbers["__unit"].to_numpy().astype(np.int64)
    heads = frame[first["__row"].to_numpy()]
    other = frame["anchor"] != heads["anchor"][members]
    if other.any():
        row = int(other.arg_true()[0])
        one, two = heads["anchor"][int(members[row])], frame["anchor"][row]
        raise InputError(
            f"anchor_id {cluster[row]!r} has two anchors", f"{one[:80]!r} and {two[:80]!r}", "give each anchor its own anchor_id"
        )
    return Units(heads, members)


def _candidates(generator: Prepared, units: Units, frame: pl.DataFrame, wanted: int) -> Candidates:
    declares = generator.operator.declares
    reads: type[Table] | None = declares.reads
    if reads is None:
        raise RuntimeError(f"{generator.operator.title} declares no kind to read")
    asked, rows, name = frame, np.arange(units.frame.height), "anchor_id" if declares.scope == "anchor" else "id"
    if declares.edits:
        # An operator edits `positive`; with `--on anchor` it is handed the anchor under that name.
        asked = frame.with_columns(pl.col(generator.settings.on).alias("positive"))
    if declares.candidates:
        rows = asked["positive"].str.contains(declares.candidates).fill_null(value=False).arg_true().to_numpy().astype(np.int64)
        asked = asked[rows]
    if declares.tags:
        there = tagging.COLUMN in asked.columns and (generator.settings.on == "positive" or (asked["anchor"] == asked["positive"]).all())
        asked = asked.with_columns(tagging.checked(asked) if there else tagging.tagged(asked["positive"]))
    made = generator.call(generator.operator.function, reads(asked), num_negatives=wanted)
    return _gather(generator, made, units, dict(zip(units.frame[name].gather(rows).to_list(), rows.tolist(), strict=True)), name)


def _gather(
    generator: Prepared, made: pl.DataFrame | Chosen | Iterable[Edit | Refusal], units: Units, number: dict[str, int], name: str
) -> Candidates:
    """What the operator made, by unit. number: the unit of each id it was asked about, which stands in the units' column `name`."""
    refusals: dict[int, tuple[str, str]] = {}
    operator = generator.operator
    passed: Counter[str] = Counter()
    pairs: pl.DataFrame | None = None
    closed: Callable[[pl.DataFrame], pl.Series] | None = None
    if isinstance(made, Chosen):
        for refusal in made.refusals:
            answers.check_edit(operator, refusal, "" if refusal.row_id in number else None)
        refusals = {number[one.row_id]: (one.reason, one.value) for one in made.refusals}
        passed, pairs, closed = made.passed, made.pairs, made.closed
        made = made.rows
    answers.candidates(operator, made, name)
    if isinstance(made, pl.DataFrame):
        numbers = units.frame.select(name).with_row_index("__unit")
        found = made.select(name).join(numbers, on=name, how="left", maintain_order="left")["__unit"]
        if found.null_count():
            answers.wrong(operator, f"returned candidates of an unknown {name}", f"use the {name} of the batch")
        unit = found.to_numpy().astype(np.int64)
        columns = made.drop(name)
    else:
        edits: list[Edit] = []
        of_units: list[int] = []
        for one in made:
            if type(one) is Edit and (at := number.get(one.row_id)) is not None:
                edits.append(one)
                of_units.append(at)
                continue
            answers.check_edit(operator, one, "" if getattr(one, "row_id", "") in number else None)
            if isinstance(one, Refusal):
                refusals.setdefault(number[one.row_id], (one.reason, one.value))
        unit = np.array(of_units, dtype=np.int64)
        columns = _edits(operator, edits, units.frame[generator.settings.on][unit])
    order = np.argsort(unit, kind="stable")
    unit = unit[order]
    starts = np.searchsorted(unit, unit, side="left")
    return Candidates(unit, np.arange(len(unit)) - starts, columns[order], refusals, passed, pairs, closed=closed)


def _more(work: Generation, units: Units, found: Candidates, missing: Rows, k: int) -> Candidates | None:
    """The candidates with those beyond the first k of rows that lack some, where the operator may have more, or None."""
    made = np.bincount(found.unit, minlength=units.frame.height)
    rows = np.flatnonzero((missing > 0) & (made == k))
    if work.generator.operator.declares.scope != "row" or not len(rows):
        return None
    again = units.frame[rows]
    more = _candidates(work.generator, Units(again, np.arange(len(rows))), again, 2 * k + 2)
    new = more.draw >= k
    unit, draw = np.concatenate([found.unit, rows[more.unit[new]]]), np.concatenate([found.draw, more.draw[new]])
    try:
        columns = pl.concat([found.columns, more.columns.filter(pl.Series(new))], how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        answers.wrong(work.generator.operator, f"returned columns of other types when asked for more: {error}", "give each one type")
    return Candidates(unit, draw, columns, found.refusals, found.passed, found.pairs)


def _at_random(work: Generation, units: Units, frame: pl.DataFrame, found: Candidates, missing: Rows, k: int) -> Candidates | None:
    """The candidates with texts drawn for anchors that lack some, where that is asked for, or None.

    frame: whole anchors. What is right for the anchor, the anchor itself, what the miner gave already and what it says is closed are
    left out.
    """
    generator = work.generator
    store, settings = getattr(generator.state, "corpus", None), generator.settings
    if settings.when_short != "random" or store is None or "corpus_row" not in found.columns.columns:
        return None
    chance = Rng(settings.seed, f"{generator.operator.title} when short")
    known = [pl.DataFrame({"unit": found.unit, "corpus_row": found.columns["corpus_row"].cast(pl.Int64)})]
    if "positive_id" in frame.columns:
        known.append(pl.DataFrame({"unit": units.members, "corpus_row": store.find(frame["positive_id"])}))
    right = pl.concat(
        pl.DataFrame({"unit": units.members, "same": normalised(frame[name], language=settings.language)})
        for name in ("anchor", "positive")
    ).unique()
    short = np.flatnonzero(missing > 0)
    parts = [pl.DataFrame(schema={"unit": pl.Int64, "corpus_row": pl.Int64})]
    for start in range(0, len(short), _ANCHORS_AT_ONCE):
        some = short[start : start + _ANCHORS_AT_ONCE]
        drew = drawn(units.frame["anchor_id"][some], store.size, chance, 2 * k + 16)
        rows = drew.select(pl.Series("unit", some).gather(drew["owner"]), "corpus_row").join(
            pl.concat(known), on=["unit", "corpus_row"], how="anti", maintain_order="left"
        )
        if found.closed is not None:
            rows = rows.filter(~found.closed(rows.with_columns(units.frame["anchor_id"].gather(rows["unit"]))))
        texts = store.take(rows["corpus_row"].to_numpy())
        for name in ("text", "body"):
            same = rows.select("unit", pl.lit(normalised(texts[name], language=settings.language)).alias("same"))
            stands = same.with_row_index("row").join(right, on=["unit", "same"], how="anti", maintain_order="left")["row"]
            rows, texts = rows[stands], texts[stands]
        parts.append(rows)
    more = pl.concat(parts)
    have = np.bincount(found.unit, minlength=units.frame.height)
    unit = more["unit"].to_numpy()
    place = np.arange(len(unit)) - np.searchsorted(unit, unit, side="left")
    columns = pl.concat([found.columns, more.select("corpus_row", pl.lit("random").alias("miner"))], how="diagonal_relaxed")
    return replace(
        found,
        unit=np.concatenate([found.unit, unit]),
        draw=np.concatenate([found.draw, have[unit] + place]),
        columns=columns,
        filled=len(found.unit),
    )


def _edits(operator: Operator, edits: list[Edit], texts: pl.Series) -> pl.DataFrame:
    """Edits of these texts as columns. Looked at one by one only if there is a wrong one among them."""
    if edits and not operator.declares.edits:
        answers.wrong(operator, "yielded an edit and does not declare that it edits", "add edits=True to DECLARES")
    try:
        columns = dict(zip(("start", "end", "new"), [*zip(*edits, strict=True)][1:], strict=False))
        made = pl.DataFrame(columns, schema={"start": pl.Int64, "end": pl.Int64, "new": pl.String})
        fit = (made["start"] >= 0) & (made["start"] <= made["end"]) & (made["end"] <= texts.str.len_chars()) & made["new"].is_not_null()
        if fit.fill_null(value=False).all():
            return made
    except (TypeError, pl.exceptions.PolarsError):
        pass  # it is told below
    for edit, text in zip(edits, texts, strict=True):
        answers.check_edit(operator, edit, text)
    raise RuntimeError(f"{operator.title} yielded edits that make no columns")


def _fill(work: Generation, units: Units, frame: pl.DataFrame, found: Candidates, k: int) -> tuple[Candidates, pl.DataFrame, Counts]:
    """Try candidates in order, only as many as are missing, until k of each unit stand; ask for more once where too few do, and
    draw the rest at random where that is asked for.

    Returns all candidates, and of those that become rows, accepted and vetoed, in the order of units and draws: their number and
    the verdict of each verifier.
    """
    counts = Counts(passed=found.passed)
    size = units.frame.height
    have = np.zeros(size, dtype=np.int64)
    tried = np.zeros(size, dtype=np.int64)
    kept: list[pl.DataFrame] = []
    seen = pl.DataFrame(schema={"unit": pl.Int64, "key": pl.UInt64})
    beyond = False
    while True:
        missing = k - have
        chosen = np.flatnonzero((found.draw >= tried[found.unit]) & (found.draw < (tried + missing)[found.unit]))
        if not len(chosen):
            more = _more(work, units, found, missing, k) if not beyond else None
            if more is None and found.filled == _MOST:
                more = _at_random(work, units, frame, found, missing, k)
            if more is None:
                break
            found, beyond = more, True
            continue
        np.add.at(tried, found.unit[chosen], 1)
        batch = _as_negatives(work, units, found, chosen)
        stands = np.ones(len(chosen), dtype=bool)
        if work.generator.operator.declares.opposition != "degenerate":
            blank = (batch["negative"].str.strip_chars().str.len_bytes() == 0).to_numpy()
            counts.blank += int(blank.sum())
            stands &= ~blank
        verdicts, vetoed = _judged(work, batch, stands, counts)
        if k > 1:  # the same text under another id, or by another edit; with one slot there is no other
            keys = rng.hash64(batch.normalised("negative", work.generator.settings.language))
            places = np.flatnonzero(stands)
            seen = pl.concat([seen, pl.DataFrame({"unit": found.unit[chosen[places]], "key": keys[places]})])
            fresh = seen.select(pl.struct("unit", "key").is_first_distinct()).to_series().tail(len(places)).to_numpy()
            stands[places[~fresh]] = False
            counts.repeated += int((~fresh).sum())
        np.add.at(have, found.unit[chosen[stands]], 1)
        counts.filled += int((chosen[stands] >= found.filled).sum())
        kept.append(pl.DataFrame({"candidate": chosen, **verdicts}).filter(pl.Series(stands | vetoed)))
    proposed = np.zeros(size, dtype=bool)
    for part in kept:
        proposed[found.unit[part["candidate"].to_numpy()]] = True
    counts.asked = k * size
    counts.emitted = int(have.sum())
    counts.short = int((k - have)[proposed].sum())
    counts.per_unit.update({filled: rows for filled, rows in enumerate(np.bincount(have).tolist()) if rows})
    none = pl.DataFrame(schema={"candidate": pl.Int64, **dict.fromkeys(work.verdicts, pl.String())})
    rows = pl.concat([none, *kept])
    candidate = rows["candidate"].to_numpy()
    return found, rows[np.lexsort((found.draw[candidate], found.unit[candidate]))], counts


def _judged(
    work: Generation, batch: Negatives, stands: NDArray[np.bool_], counts: Counts
) -> tuple[dict[str, pl.Series], NDArray[np.bool_]]:
    """What each verifier says of the candidates, and which of them were vetoed; these stand no more.

    What an operator means to be right for its anchor no verifier vetoes by finding it so.
    """
    meant = work.generator.operator.declares.label == "positive"
    vetoed = np.zeros(len(batch), dtype=bool)
    verdicts = {}
    for verifier in work.verifiers:
        said = answers.verdicts(verifier.operator, verifier.call(verifier.operator.function, batch), len(batch))
        verdicts[column_of(verifier.operator.name)] = said
        if meant:
            continue
        hit = stands & (said == "positive").to_numpy()
        counts.vetoed[verifier.operator.name] += int(hit.sum())
        vetoed |= hit
        stands &= ~hit
    return verdicts, vetoed


def _as_negatives(work: Generation, units: Units, found: Candidates, chosen: Rows) -> Negatives:
    """The chosen candidates as far as verifiers look at them, texts looked up."""
    rows = units.frame[found.unit[chosen]]
    looked = _with_texts(work, rows, found.columns[chosen])
    more = [looked[name] for name in ("negative", "negative_id", "__body") if name in looked.columns]
    keep = [name for name in ("id", "anchor_id", "anchor", "positive", "positive_id") if name in rows.columns]
    operator = pl.Series("operator", [work.generator.operator.name] * len(chosen), dtype=pl.String)
    return Negatives(rows.select(keep).with_columns(*more, operator))


def _with_texts(work: Generation, rows: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """What the operator gave about candidates of these rows, with the texts: of the corpus, or of the row with the edit made."""
    if work.generator.operator.declares.edits:
        source, start, end = rows[work.generator.settings.on].alias("source"), pl.col("start"), pl.col("end")
        old = pl.col("source").str.slice(start, end - start).alias("old")
        made = pl.concat_str(pl.col("source").str.slice(0, start), "new", pl.col("source").str.slice(end))
        return columns.with_columns(source).select(made.alias("negative"), pl.struct("start", "end", old, "new").alias("edit"))
    if "corpus_row" not in columns.columns:
        return columns
    texts = work.generator.state.corpus.take(columns["corpus_row"].to_numpy().astype(np.int64))
    return columns.drop("corpus_row").with_columns(
        texts["id"].alias("negative_id"), texts["text"].alias("negative"), texts["body"].alias("__body")
    )


def _assemble(work: Generation, frame: pl.DataFrame, units: Units, found: Candidates, tried: pl.DataFrame) -> pl.DataFrame:
    """Rows of accepted and vetoed candidates, in the order of units and draws; an anchor's candidate makes a row for each pair."""
    chosen = tried["candidate"].to_numpy()
    # Every (member row, candidate of its unit): for row scope one to one.
    by_unit = np.argsort(units.members, kind="stable")
    sizes = np.bincount(units.members, minlength=units.frame.height)
    starts = np.cumsum(sizes) - sizes
    unit = found.unit[chosen]
    repeat = sizes[unit]
    place = np.repeat(np.arange(len(chosen)), repeat)
    within = np.arange(len(place)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    member = by_unit[np.repeat(starts[unit], repeat) + within]
    if len(place) != len(chosen):
        order = np.lexsort((place, member))
        place, member = place[order], member[order]
    rows = frame[member]
    looked = _with_texts(work, rows, found.columns[chosen][place]).drop("__body", strict=False)
    verdicts = tried.drop("candidate")[place]
    rows = _with_pairs(rows, found.pairs)
    made = _stamp(work, rows.with_columns(*looked, *verdicts), found.draw[chosen][place])
    if found.filled < _MOST:
        # What the miner sees to by itself, such as that nothing overlaps, nobody saw to here.
        verified = pl.col("evidence").list.filter(pl.element().str.starts_with("not-")).list.concat(pl.lit([SHORTAGE])).list.sort()
        made = made.with_columns(pl.when(pl.Series(chosen[place] >= found.filled)).then(verified).otherwise("evidence").alias("evidence"))
    return _ordered(without_refuted(labelled(_promoted(work, frame, made))))


def _promoted(work: Generation, frame: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
    """Rows with what of them is promoted, where that is asked for. Only where anchors come whole all their positives are known."""
    settings, names = work.generator.settings, [verifier.operator.name for verifier in work.verifiers]
    if not (settings.promote and names):
        return made
    whole = work.generator.operator.declares.scope == "anchor"
    meant = work.generator.operator.declares.label == "positive"
    return promoting.taken(made, names, settings.language, frame if whole else None, meant=meant)


def _with_pairs(rows: pl.DataFrame, pairs: pl.DataFrame | None) -> pl.DataFrame:
    """Source rows with what a miner said of each."""
    return rows if pairs is None else rows.join(pairs, on="id", how="left", maintain_order="left")


def _stamp(work: Generation, rows: pl.DataFrame, draws: Rows) -> pl.DataFrame:
    """Source rows with a candidate each, as rows of `negatives` with lineage."""
    generator, declares = work.generator, work.generator.operator.declares
    source = rows["id"]
    ids = rng.negative_ids(
        source, operator=generator.operator.name, options_digest=generator.digest, seed=generator.settings.seed, draws=draws
    )
    ran = {verifier.operator.name for verifier in work.verifiers}
    # Evidence that rests on a verifier is not claimed when it was switched off.
    evidence = sorted(one for one in declares.evidence if not one.startswith("not-") or one.removeprefix("not-") in ran)
    constants = {
        "opposition": pl.lit(declares.opposition),
        "evidence": pl.lit(pl.Series([evidence], dtype=pl.List(pl.String))).first(),
        "initial_label": pl.lit(declares.label),
        "operator": pl.lit(generator.operator.name),
        "operator_version": pl.lit(declares.version, dtype=pl.Int64),
        "options_digest": pl.lit(generator.digest),
        "seed": pl.lit(generator.settings.seed, dtype=pl.Int64),
        **{name: pl.lit(None, dtype=pl.String) for name in DROP_NAMES},
    }
    lineage = [
        ids.alias("id"),
        source.alias("source_id"),
        source.reshape((-1, 1)).arr.to_list().alias("source_ids") if len(source) else pl.Series("source_ids", [], dtype=pl.List(pl.String)),
        pl.Series("draw", draws, dtype=pl.Int64),
    ]
    return rows.with_columns(*lineage, *(expression.alias(name) for name, expression in constants.items()))


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    # Tags are of the source's text: what is made of it has others.
    return frame.select(name for name in NEGATIVES.ordered(frame.columns) if name != tagging.COLUMN)


def _refused(work: Generation, frame: pl.DataFrame, units: Units, found: Candidates, tried: pl.DataFrame, counts: Counts) -> pl.DataFrame:
    """Rows of units that no candidate became a row of, dropped with the reason. A `no-site` row carries ids and reason, no text."""
    declares = work.generator.operator.declares
    usual = "no-candidate" if declares.scope == "anchor" else "no-site"
    without = np.ones(units.frame.height, dtype=bool)
    without[found.unit[tried["candidate"].to_numpy()]] = False
    reasons, values = np.full(units.frame.height, usual, dtype=object), np.full(units.frame.height, None, dtype=object)
    for unit, (reason, value) in found.refusals.items():
        reasons[unit], values[unit] = reason, value or None
    reasons[found.unit], values[found.unit] = "blank", None  # every candidate they have is a blank text
    for reason, number in Counter(reasons[without].tolist()).items():
        counts.refused[reason] += number * min(work.generator.settings.num_negatives, _MOST)
    members = np.flatnonzero(without[units.members])
    named = reasons[units.members[members]].tolist()
    counts.dropped.update(named)
    rows = _with_pairs(frame[members], found.pairs)
    looked = _with_texts(work, rows.clear(), found.columns.clear()).drop("__body", strict=False)
    nothing = [pl.lit(None, dtype).alias(name) for name, dtype in looked.schema.items()]
    made = _stamp(work, rows.with_columns(nothing), np.full(rows.height, -1, dtype=np.int64))
    texts = [name for name in made.columns if name not in _OF_SILENT]
    speaks = pl.Series(named, dtype=pl.String) != "no-site"
    # By far the commonest refusal: where there is no other, there is nothing to look through.
    shown = [pl.when(speaks).then(pl.col(name)) if speaks.any() else pl.lit(None, made.schema[name]).alias(name) for name in texts]
    return _ordered(
        made.with_columns(
            *shown,
            pl.lit([], dtype=pl.List(pl.String)).alias("evidence"),
            pl.lit("generate " + work.generator.operator.name).alias("dropped_by"),
            pl.Series("drop_reason", named, dtype=pl.String),
            pl.Series("drop_value", values[units.members[members]].tolist(), dtype=pl.String),
            pl.col("initial_label").alias("label"),
            *(pl.lit(None, pl.String).alias(name) for name in work.verdicts),
            *([pl.lit(None, pl.String).alias(PROMOTED)] if work.generator.settings.promote and work.verifiers else []),
        )
    )
