"""The laws, by verb. Each is run on the shipped sample, with the author's own texts among its rows."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

import negforge
from negforge import plugins, registry
from negforge.errors import UsageError
from negforge.labels import labelled
from negforge.options import Settings, declared_options, field_of, json_schema, plain_shape
from negforge.records import DROP_NAMES, NEGATIVES, PAIRS, Corpus, Evaluation, Pairs, Table, conform
from negforge.registry import Operator

_SHIPPED = Path(__file__).parent / "sample"
SAMPLE = _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[2] / "sample_data"
ROW_STAGES = ("score", "verify", "filter", "dedupe", "schedule")
BATCHINGS: tuple[dict[str, Any], ...] = (
    {"batch_size": 1, "workers": 1},
    {"batch_size": 7, "workers": 2},
    {"batch_size": 10_000, "workers": 1},
)


def laws_of(*titles: str, texts: Sequence[str] = (), source: str | Path = "", options: Mapping[str, Any] | None = None) -> type[Laws]:
    """A class of tests: every law that applies to the operators of these titles, such as `generate perturb.number`.

    An operator that is not installed is looked for above the calling test file: `generate/perturb/shout.py` in its folder or in
    any above it. texts: positives in which the operator finds something to do, added to the sample's. source: a file or folder
    that a reader makes rows of, instead of the sample's. options: values of required options; without one it is the first of
    the option's examples, or the least value it takes.
    """
    test, fault = Path(inspect.stack()[1].filename), ""
    try:
        operators = [_found(title, test) for title in titles]
    except UsageError as error:
        fault = str(error)
    if fault:
        pytest.fail(fault, pytrace=False)
    verbs = {one.verb for one in operators}
    others = {name: None for name, test in vars(Laws).items() if not verbs & {*getattr(test, "verbs", verbs)}}
    return type(
        "TestLaws", (Laws,), {"operators": operators, "texts": tuple(texts), "source": source, "options": dict(options or {}), **others}
    )


def _found(title: str, test: Path) -> Operator:
    """An operator, after naming the folder above the test that holds it, for this process and those it starts."""
    verb, _, name = title.partition(" ")
    inside = Path(verb, *name.replace("-", "_").split(".")).with_suffix(".py")
    above = next((folder for folder in test.resolve().parents if (folder / inside).is_file()), None)
    if above is not None and above not in [tree.folder for tree in (registry.OURS, *plugins.trees())]:
        os.environ[plugins.ENVIRONMENT] = plugins.named([str(above)], registry.VERBS)
    if above is None and verb in registry.VERBS and name not in registry.operators(verb):
        mend = f"put the test beside or below the folder {verb}/, or install the package"
        raise UsageError(f"there is no operator '{title}'", f"{inside} lies in no folder above {test}", mend)
    return registry.find(verb, name)


def law(*verbs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test as a law of the operators of some verbs."""

    def marked(test: Callable[..., None]) -> Callable[..., None]:
        setattr(test, "verbs", verbs)  # noqa: B010 - mypy knows no such attribute
        return test

    return marked


def sides(operator: Operator, corpus: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, Any]:
    """A table for each side input."""
    tables: dict[type[Table], pl.DataFrame] = {Corpus: corpus, Pairs: pairs, Evaluation: pairs.tail(3)}
    return {name: tables[kind] for name, kind in operator.sides.items()}


def _texts(frame: pl.DataFrame) -> set[str]:
    """Every text of a table, in lists and records as well."""
    return {text for row in frame.rows() for text in _within(row)}


def _within(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _within(one)


class Laws:
    """All laws; `laws_of` leaves out those of other verbs."""

    operators: ClassVar[Sequence[Operator]] = ()
    texts: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str | Path] = ""
    options: ClassVar[Mapping[str, Any]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each operator that the law is for."""
        found = [one for one in self.operators if one.verb in getattr(metafunc.function, "verbs", ())]
        metafunc.parametrize("operator", found, ids=[one.title.replace(" ", "-") for one in found])

    def required(self, operator: Operator) -> dict[str, Any]:
        """The author's value of each required option, else its first example, else its least value; a file is one of the sample's."""
        schema = json_schema(operator)
        found: dict[str, Any] = {}
        for name in schema.get("required", []):
            if name in operator.options():
                shape = schema["properties"][name]
                items = shape.get("items", {})
                if "path" in (shape.get("format"), items.get("format")):
                    file = str(SAMPLE / {**items, **shape}["examples"][0])
                    found[name] = [file] if items else file
                    continue
                usual = shape.get("minimum", 1) if shape.get("type") == "integer" else shape.get("enum", ["x"])[0]
                items = plain_shape(shape.get("items", {})).get("examples") if shape.get("type") == "array" else None
                found[name] = items[:1] if items else shape.get("examples", [usual])[0]
        for name in operator.declared.get("any_of", ())[:1]:
            shape = plain_shape(schema["properties"][name])
            found[name] = shape.get("examples", [shape.get("minimum", 1)])[0]
        return {**found, **{name: value for name, value in self.options.items() if name in operator.options()}}

    def scored(self, operator: Operator, negatives: pl.DataFrame) -> pl.DataFrame:
        """The negatives with the scores that a filter is told to look at, if they lack them: of each text, and of its positive."""
        options = operator.options()
        by = self.required(operator).get("by", options["by"].default) if operator.verb == "filter" and "by" in options else ()
        for name in (f"score_{one}" for one in ([by] if isinstance(by, str) else by or ())):
            if by != "rank" and name not in negatives.columns:
                columns = {name: "negative", f"{name}_positive": "positive"}
                made = [(negatives[text].str.len_chars() % 17 / 17.0).alias(column) for column, text in columns.items()]
                negatives = negatives.with_columns(made)
        return negatives

    @pytest.fixture(scope="class")
    @classmethod
    def pairs(cls) -> pl.DataFrame:
        """The sample's question-answer pairs, some questions with two, and the author's texts. Answers are the numbers, if any."""
        sample = pl.read_ndjson(SAMPLE / "pairs.jsonl").with_columns(pl.col("positive").str.extract_all("[0-9]+").alias("answers"))
        own = [
            {"id": f"own-{place}", "anchor_id": f"own-{place}", "anchor": f"Of what is text {place}?", "positive": text, "topic": "own"}
            for place, text in enumerate(cls.texts)
        ]
        return pl.concat([sample, pl.DataFrame(own, schema_overrides=sample.schema)], how="diagonal") if own else sample

    @pytest.fixture(scope="class")
    @classmethod
    def corpus(cls) -> pl.DataFrame:
        """The sample's passages, grouped by topic, eight that follow each other, with a re-cased and a re-spaced copy of a positive."""
        rows = [json.loads(line) for line in (SAMPLE / "beir" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
        return pl.DataFrame(rows).rename({"_id": "id"}).with_columns((pl.int_range(pl.len()) // 8).alias("group"))

    @pytest.fixture(scope="class")
    @classmethod
    def negatives(cls, pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
        """Mined negatives of the sample with vetoed, repeated and dropped rows among them."""
        made = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=4).kept
        twins = made.head(9).with_columns((pl.col("id") + "-again").alias("id"), pl.col("negative").str.to_uppercase())
        block = [pl.lit(None, pl.String).alias(name) for name in DROP_NAMES]
        lost = made.tail(5).with_columns((pl.col("id") + "-lost").alias("id"))
        lost = lost.with_columns(
            pl.lit("filter earlier").alias("dropped_by"), pl.lit("reason").alias("drop_reason"), pl.lit("1").alias("drop_value")
        )
        return pl.concat([pl.concat([made, twins]).with_columns(block), lost.select([*made.columns, *DROP_NAMES])])

    # -- the file ----------------------------------------------------------------------------------------------------------

    @law(*registry.VERBS)
    def test_the_file_explains_itself(self, operator: Operator) -> None:
        """The docstring has a one-line summary, more below it and a source."""
        assert operator.summary.endswith("."), f"the file's first line is its help, a sentence: {operator.summary!r}"
        assert len(operator.summary) <= 140, "the file's first line is its help, of at most 140 characters"
        assert re.search(r"^(Paper|Source): \S", operator.doc, re.MULTILINE), "the docstring ends with a line `Paper: ...` or `Source: ...`"

    @law(*registry.VERBS)
    def test_the_declaration_reads_the_same_unimported(self, operator: Operator) -> None:
        """What is read from the source equals what the imported module declares."""
        for name, value in operator.declared.items():
            found = getattr(operator.declares, name)
            assert value == (found.__name__ if isinstance(found, type) else found), name
        assert operator.declares.version >= 1

    @law(*registry.VERBS)
    def test_every_option_has_help_and_a_typed_default(self, operator: Operator) -> None:
        """Help text lives in the signature, once, and a default obeys its own bounds."""
        for name, parameter in declared_options(operator).items():
            text = field_of(parameter.annotation).description
            assert text, f"{operator.title} --{name}"
            assert text.endswith("."), f"help of an option is a sentence: --{name} {text!r}"
        for side in operator.sides:
            assert side not in operator.options()
        assert not set(operator.options()) & set(Settings.model_fields)

    @law(*registry.VERBS)
    def test_it_imports_neither_another_operator_nor_the_command_line_nor_a_client(self, operator: Operator) -> None:
        """Imports point one way: operators know records, randomness and errors."""
        barred = re.compile(
            rf"negforge\.({'|'.join(registry.VERBS)}|cli|pipeline|runner|store|sinks|api)(\.|$)|^(openai|httpx|requests|huggingface_hub)"
        )
        for node in ast.walk(ast.parse(operator.path.read_text(encoding="utf-8"))):
            names = (
                [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                assert not barred.search(name), f"{operator.path.name} imports {name}"

    @law(*registry.VERBS)
    def test_declared_verifiers_exist_and_are_free(self, operator: Operator) -> None:
        """The verifiers that run after a generator need no model; when mining they do not look at one pair's positive."""
        for name in operator.declares.verifiers:
            verifier = registry.find("verify", name)
            assert verifier.declares.cost == "free"
            if operator.declares.scope == "anchor":
                assert "positive" not in verifier.declares.columns

    # -- generators --------------------------------------------------------------------------------------------------------

    @law("generate")
    def test_generate_ignores_batches_workers_and_row_order(self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
        """Same input, options and seed give the same rows on any batch size, worker count and row order, side inputs included."""
        given = {**sides(operator, corpus, pairs), **self.required(operator), "num_negatives": 3, "seed": 5}
        digests = {negforge.run(operator.title, pairs, **given, **how).report.outcome.digests["rows_digest"] for how in BATCHINGS}
        shuffled = {name: frame.sample(fraction=1, shuffle=True, seed=2) for name, frame in sides(operator, corpus, pairs).items()}
        other = negforge.run(
            operator.title, pairs.sample(fraction=1, shuffle=True, seed=1), **{**given, **shuffled}, batch_size=11, workers=1
        )
        digests.add(other.report.outcome.digests["rows_digest"])
        assert len(digests) == 1, "a row may depend on itself (scope anchor: its anchor's rows), the side inputs and rng alone"

    @law("generate")
    def test_generate_conserves_slots_and_rows(self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
        """Slots add up: asked = emitted + refused + short in slots; every row without a negative is there with its reason."""
        made = negforge.run(operator.title, pairs, **sides(operator, corpus, pairs), **self.required(operator), num_negatives=3)
        counts = made.report.counts
        assert counts["asked"] == counts["emitted"] + sum(counts["refused"].values()) + counts["short"]
        assert counts["asked"] > 0
        assert counts["emitted"] > 0, "it found nothing to do in the sample: laws_of(..., texts=[...]) adds texts in which it does"
        assert counts["kept"] == made.kept.height == sum(counts["labels"].values())
        assert sum(counts["dropped"].values()) == made.dropped.height
        assert made.dropped["drop_reason"].null_count() == 0
        assert (made.dropped["draw"] == -1).all()
        silent = made.dropped.filter(pl.col("drop_reason") == "no-site")
        assert silent["anchor"].null_count() == silent["positive"].null_count() == silent["negative"].null_count() == silent.height
        assert made.dropped["id"].is_unique().all()
        assert set(pairs["id"]) == set(made.kept["source_id"]) | set(made.dropped["source_id"])

    @law("generate")
    def test_generate_keeps_the_shape_of_negatives(self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
        """The output conforms to its kind, ids are unique, lineage names the source, and extra columns travel untouched."""
        made = negforge.run(operator.title, pairs, **sides(operator, corpus, pairs), **self.required(operator), num_negatives=2, seed=9)
        frame = conform(made.kept, NEGATIVES, "output")
        assert frame["id"].is_unique().all()
        assert (frame["operator"] == operator.name).all()
        assert (frame["seed"] == 9).all()
        assert (frame["initial_label"] == operator.declares.label).all()
        assert frame["label"].to_list() == labelled(frame)["label"].to_list()
        topics = dict(zip(pairs["id"], pairs["topic"], strict=True))
        assert [topics[one] for one in frame["source_id"]] == frame["topic"].to_list()
        assert frame["source_ids"].to_list() == [[one] for one in frame["source_id"]]
        assert made.dropped.columns == [*made.kept.columns[: len(made.kept.columns)], *DROP_NAMES] or set(made.dropped.columns) == {
            *made.kept.columns,
            *DROP_NAMES,
        }

    @law("generate")
    def test_generate_never_emits_a_known_positive_or_a_text_twice(
        self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """No row labelled negative holds a positive of its anchor after normalising, nor a text its source row already has."""
        made = negforge.run(operator.title, pairs, **sides(operator, corpus, pairs), **self.required(operator), num_negatives=5).kept
        known = {(one["anchor_id"], " ".join(one["positive"].lower().split())) for one in pairs.to_dicts()}
        wrong = made.filter(pl.col("label") == "negative")
        texts = [(one["anchor_id"], " ".join(one["negative"].lower().split())) for one in wrong.to_dicts()]
        assert not set(texts) & known
        assert wrong.select("source_id", "negative").is_unique().all()
        assert (wrong["negative"].str.strip_chars().str.len_bytes() > 0).all()

    @law("generate")
    def test_generate_with_fewer_slots_gives_the_first_of_them(self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
        """Two negatives a row hold the one that one slot gives."""
        given = {**sides(operator, corpus, pairs), **self.required(operator)}
        one, two = (
            negforge.run(operator.title, pairs, **given, num_negatives=k).kept.filter(pl.col("label") == operator.declares.label)
            for k in (1, 2)
        )
        assert set(one.select("source_id", "negative").rows()) <= set(two.select("source_id", "negative").rows())
        assert two.height >= one.height

    @law("generate")
    def test_generate_leaves_its_input_and_takes_nothing_for_nothing(
        self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """The input frame is unchanged, and no rows in gives no rows out, of the same columns."""
        before = pairs.clone()
        given = {**sides(operator, corpus, pairs), **self.required(operator)}
        full = negforge.run(operator.title, pairs, **given)
        assert pairs.equals(before)
        empty = negforge.run(operator.title, conform(pairs, PAIRS, "pairs").clear(), **given)
        assert (empty.kept.height, empty.dropped.height) == (0, 0)
        assert dict(empty.kept.schema) == dict(full.kept.schema)

    @law("generate")
    def test_an_edit_is_the_only_change(self, operator: Operator, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
        """Re-applying a recorded edit to its source gives the negative, and undoing it gives the source."""
        made = negforge.run(operator.title, pairs, **sides(operator, corpus, pairs), **self.required(operator), num_negatives=3).kept
        if not operator.declares.edits:
            assert "edit" not in made.columns
            return
        for row in made.to_dicts():
            edit, source, negative = row["edit"], row["positive"], row["negative"]
            assert source[edit["start"] : edit["end"]] == edit["old"]
            assert source[: edit["start"]] + edit["new"] + source[edit["end"] :] == negative
            assert negative[: edit["start"]] + edit["old"] + negative[edit["start"] + len(edit["new"]) :] == source

    # -- score, verify, filter, dedupe -------------------------------------------------------------------------------------

    @law(*ROW_STAGES)
    def test_a_stage_conserves_rows_and_lets_dropped_ones_travel(
        self, operator: Operator, negatives: pl.DataFrame, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """Rows add up: seen = kept + dropped; rows dropped before come out as they went in."""
        negatives = self.scored(operator, negatives)
        made = negforge.run(operator.title, negatives, **sides(operator, corpus, pairs), **self.required(operator))
        counts = made.report.counts
        assert counts["seen"] == negatives.height == counts["kept"] + sum(counts["dropped"].values())
        assert (made.kept.height, made.dropped.height) == (counts["kept"], counts["seen"] - counts["kept"])
        before = negatives.filter(pl.col("dropped_by").is_not_null()).select("id", *DROP_NAMES).sort("id")
        after = made.dropped.filter(pl.col("dropped_by") == "filter earlier").select("id", *DROP_NAMES).sort("id")
        assert after.equals(before)
        assert (made.dropped.filter(pl.col("dropped_by") != "filter earlier")["dropped_by"] == operator.title).all()

    @law(*ROW_STAGES)
    def test_a_stage_ignores_batches_workers_and_row_order(
        self, operator: Operator, negatives: pl.DataFrame, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """Same rows kept and the same dropped for the same reasons, whatever the order and batching."""
        given = {**sides(operator, corpus, pairs), **self.required(operator)}
        negatives = self.scored(operator, negatives)
        frames = [negatives, negatives.sample(fraction=1, shuffle=True, seed=4), negatives.reverse()]
        runs = [negforge.run(operator.title, frame, **given, **how) for frame, how in zip(frames, BATCHINGS, strict=True)]
        names = ("rows_digest", "content_digest", "dropped_digest")
        found = {tuple(one.report.outcome.digests[name] for name in names) for one in runs}
        assert len(found) == 1, "what becomes of a row may depend on itself (scope anchor: its anchor's rows) and the side inputs alone"

    @law(*ROW_STAGES)
    def test_a_stage_applied_twice_changes_nothing_more(
        self, operator: Operator, negatives: pl.DataFrame, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """Idempotent: a second run over what was kept keeps all of it; thresholds taken from the rows themselves may be others then."""
        given = {**sides(operator, corpus, pairs), **self.required(operator)}
        once = negforge.run(operator.title, self.scored(operator, negatives), **given)
        twice = negforge.run(operator.title, once.kept, **given)
        if operator.declares.fits:
            assert {*twice.kept["id"]} <= {*once.kept["id"]}
            return
        assert twice.report.outcome.digests["content_digest"] == once.report.outcome.digests["content_digest"]
        assert twice.dropped.height == 0

    @law(*ROW_STAGES)
    def test_a_stage_takes_nothing_for_nothing(
        self, operator: Operator, negatives: pl.DataFrame, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """No rows in, no rows out, and the input is left as it was."""
        negatives = self.scored(operator, negatives)
        before = negatives.clone()
        made = negforge.run(operator.title, negatives.clear(), **sides(operator, corpus, pairs), **self.required(operator))
        assert (made.kept.height, made.dropped.height) == (0, 0)
        assert negatives.equals(before)

    @law("score")
    def test_a_score_adds_columns_of_its_name_and_changes_no_other(
        self, operator: Operator, negatives: pl.DataFrame, pairs: pl.DataFrame, corpus: pl.DataFrame
    ) -> None:
        """Numbers named score_NAME, and after it, or texts named NAME_; what was there is made anew, and no other cell or row touched."""
        given = {**sides(operator, corpus, pairs), **self.required(operator)}
        name = "score_" + operator.name.replace("-", "_").replace(".", "_")
        negatives = negatives.drop(name, strict=False)  # the miner of the sample may have given it
        before = negforge.run(operator.title, negatives.with_columns(pl.lit(7.5).alias(name)), **given)
        made = negforge.run(operator.title, negatives, **given)
        own = [one for one in made.kept.columns if one not in negatives.columns]
        assert name in own
        types = {one: made.kept.schema[one] for one in own}
        said = f"{name.removeprefix('score_')}_"
        assert all(
            dtype == pl.Float64 if one == name or one.startswith(f"{name}_") else one.startswith(said) and dtype == pl.String
            for one, dtype in types.items()
        ), f"{types}"
        assert (
            made.kept.drop(own)
            .sort("id")
            .equals(negatives.filter(pl.col("dropped_by").is_null()).select(made.kept.drop(own).columns).sort("id"))
        )
        assert before.kept.select(made.kept.columns).equals(made.kept)
        assert (before.dropped[name] == 7.5).all()
        assert made.dropped[name].null_count() == made.dropped.height
        empty = negforge.run(operator.title, negatives.clear(), **given)
        assert dict(empty.kept.schema) == dict(made.kept.schema)

    # -- export and ingest -------------------------------------------------------------------------------------------------

    @law("export")
    def test_an_export_writes_negatives_alone_and_says_where_each_came_from(self, operator: Operator, negatives: pl.DataFrame) -> None:
        """Only rows labelled negative go out, in an order that no batching changes; provenance runs row for row."""
        runs = [negforge.run(operator.title, negatives, **self.required(operator), **how) for how in BATCHINGS]
        first = runs[0]
        assert all(one.kept.equals(first.kept) for one in runs)
        live = negatives.filter(pl.col("dropped_by").is_null())
        kept = live.filter(pl.col("label") == "negative")
        named = [one.asides["corpus"] for one in runs if "corpus" in one.asides]
        assert all(one.equals(named[0]) for one in named)
        written = _texts(first.kept).union(*map(_texts, named[:1]))
        assert {*kept["negative"]} <= written
        assert not ({*live["negative"]} - {*kept["negative"], *kept["positive"]}) & written
        if "provenance" in first.asides:
            beside = first.asides["provenance"]
            assert beside["row"].to_list() == list(range(first.kept.height))
            texts = dict(zip(kept["id"], kept["negative"], strict=True))
            if "id" in beside.columns and "negative" in first.kept.columns:
                assert [texts[one] for one in beside["id"]] == first.kept["negative"].to_list()
        empty = negforge.run(operator.title, negatives.clear(), **self.required(operator))
        assert (empty.kept.height, empty.kept.columns) == (0, first.kept.columns)

    @law("ingest")
    def test_a_reader_makes_its_kind_of_the_sample(self, operator: Operator) -> None:
        """What a reader makes conforms to the kind it declares, with unique ids, whatever the batch size."""
        writes = operator.declares.writes
        assert writes is not None
        folder = "folder" in inspect.signature(operator.function).parameters
        of_pairs = "positive" in operator.options()
        sample = SAMPLE / "beir" if folder else SAMPLE / "pairs.jsonl" if of_pairs else SAMPLE / "beir" / "corpus.jsonl"
        place = self.source or sample
        runs = [negforge.run(operator.title, str(place), **self.required(operator), batch_size=size) for size in (3, 10_000)]
        assert runs[0].kept.equals(runs[1].kept)
        assert runs[0].kept.height > (0 if self.source else 50), "name a file that it reads: laws_of(..., source=PATH)"
        assert conform(runs[0].kept, writes.kind, "output").equals(runs[0].kept)
        assert runs[0].kept["id"].is_unique().all()
