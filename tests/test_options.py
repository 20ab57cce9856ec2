"""One declaration, three readers: a flag, a pipeline key and a Python call mean the same, and are refused alike."""

from __future__ import annotations

import contextlib
import json
import math
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge import registry
from negforge.errors import OptionError, UsageError
from negforge.options import Settings, check, choices, for_example, json_schema, metavar, settings_of, size_bytes, takes
from negforge.registry import Operator
from tests.shell import good

CONTINUATIONS = registry.find("ingest", "continuations")
BM25 = registry.find("generate", "mine.bm25")
TOP = registry.find("filter", "top")
NUMBER = registry.find("generate", "perturb.number")
EXAMPLES: list[tuple[Operator, dict[str, Any]]] = [
    (BM25, {"depth": 9, "tokeniser": "english", "num_negatives": 3, "seed": 5, "max_memory": "1GiB"}),
    (BM25, {"verify": False, "limit": 7, "workers": 1, "batch_size": 13, "language": "no"}),
    (TOP, {"k": 2, "by": "score_bm25", "order": "descending"}),
    (NUMBER, {"on": "anchor", "min_change": 0.5, "rename": ["topic=group"]}),
]


@pytest.mark.parametrize(("operator", "options"), EXAMPLES, ids=["own", "settings", "required", "edits"])
def test_flags_keys_and_calls_have_the_same_effect(operator: Operator, options: dict[str, Any], tmp_path: Path) -> None:
    """The same effective options, the same record in the file and the same rows, whichever way they are given."""
    inputs, sides = _inputs(operator, tmp_path)
    flags: list[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [word for one in (value if isinstance(value, list) else [value]) for word in (f"--{flag}", str(one))]
    side_flags = [word for name, path in sides.items() for word in (f"--{name}", str(path))]
    good(*operator.title.split(), inputs, *flags, *side_flags, "-o", tmp_path / "flag.arrow", "--json")
    negforge.run(operator.title, inputs, output=tmp_path / "call.arrow", **options, **sides)
    entry = {"name": "one", "use": operator.title, "input": str(inputs), "output": str(tmp_path / "key.arrow"), **options}
    (tmp_path / "p.toml").write_text(_toml({**entry, **{name: str(path) for name, path in sides.items()}}), encoding="utf-8")
    good("run", tmp_path / "p.toml")
    assert len({(tmp_path / f"{name}.arrow").read_bytes() for name in ("flag", "key", "call")}) == 1
    jsonschema.validate(options, {**json_schema(operator), "required": []})


def _inputs(operator: Operator, folder: Path) -> tuple[Path, dict[str, Path]]:
    pairs, corpus, negatives = folder / "pairs.parquet", folder / "corpus.parquet", folder / "negatives.parquet"
    good("ingest", "pairs", "sample_data/pairs.jsonl", "-o", pairs)
    good("ingest", "corpus", "sample_data/beir/corpus.jsonl", "-o", corpus)
    if operator.declared.get("reads") == "Negatives":
        good("generate", "mine.bm25", pairs, "--corpus", corpus, "-n", "4", "-o", negatives)
        return negatives, {}
    return pairs, {"corpus": corpus} if "corpus" in operator.sides else {}


def _toml(entry: dict[str, Any]) -> str:
    return "[[stage]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())


WRONG: list[tuple[Operator, str, Any, str, str]] = [
    (
        BM25,
        "depth",
        "abc",
        "--depth takes a whole number of at least 1, not 'abc'",
        "--depth N: How many of the best matches are candidates, known positives apart.",
    ),
    (BM25, "depth", 0, "--depth takes a whole number of at least 1, not 0", "--depth N"),
    (BM25, "depth", 2.5, "--depth takes a whole number of at least 1, not 2.5", "--depth N"),
    (BM25, "depth", True, "--depth takes a whole number of at least 1, not True", "--depth N"),
    (BM25, "num_negatives", "-3", "--num-negatives takes a whole number of at least 1, not '-3'", "--num-negatives N"),
    (BM25, "seed", 2**63, "--seed takes a whole number of at least 0 and at most 9223372036854775807", "--seed N"),
    (BM25, "tokeniser", "englsh", "--tokeniser takes one of simple, english, whitespace, not 'englsh'", "did you mean english?"),
    (BM25, "keep_labels", ["unknwon"], "--keep-labels takes one of unknown, positive, not 'unknwon'", "did you mean unknown?"),
    (BM25, "keep_labels", "unknown", "--keep-labels takes a list of texts, not 'unknown'", "--keep-labels [unknown|positive]"),
    (BM25, "rename", ["topic"], "--rename takes a text such as OLD=NEW, not 'topic'", "--rename OLD=NEW"),
    (BM25, "max_memory", "4 pigs", "--max-memory takes a size such as 512MB or 2GiB, not '4 pigs'", "--max-memory SIZE"),
    (BM25, "max_memory", "0", "--max-memory takes a size such as 512MB or 2GiB, not '0'", "--max-memory SIZE"),
    (BM25, "shards", 3, "--shards takes a power of two, not 3", "--shards N"),
    (BM25, "verify", "maybe", "--verify takes true or false, not 'maybe'", "--verify"),
    (BM25, "language", 5, "--language takes a text, not 5", "--language TEXT"),
    (CONTINUATIONS, "span_words", 0, "--span-words takes a whole number of at least 1, not 0", "--span-words N"),
    (NUMBER, "min_change", math.nan, "--min-change takes a number", "--min-change NUMBER"),
    (TOP, "by", ["rank"], "--by takes a text, not ['rank']", "--by TEXT"),
]


@pytest.mark.parametrize(("operator", "name", "value", "what", "mend"), WRONG, ids=lambda one: str(one) if isinstance(one, str) else "")
def test_a_wrong_value_is_told_by_its_flag(operator: Operator, name: str, value: Any, what: str, mend: str) -> None:
    """What the option takes, what it was given, and the nearest choice or the option's help."""
    faults = [fault for fault in check(operator, {name: value})[2] if fault.what != "--k is missing"]
    assert len(faults) == 1
    assert isinstance(faults[0], OptionError)
    assert faults[0].option == name
    assert faults[0].what.startswith(what)
    assert faults[0].where == operator.title
    assert faults[0].mend.startswith(mend)


def test_every_fault_is_found() -> None:
    """Own options, settings, what is missing and what is unknown are told together."""
    faults = check(TOP, {"by": 3, "limit": "x", "oder": "auto", "batch_size": 0})[2]
    assert [fault.what for fault in faults] == [
        "filter top has no option 'oder'",
        "--k is missing",
        "--by takes a text, not 3",
        "--limit takes a whole number of at least 1, not 'x'",
        "--batch-size takes a whole number of at least 1, not 0",
    ]
    assert faults[0].mend == "did you mean order?"


def test_a_setting_the_verb_has_no_use_for_is_unknown() -> None:
    """`--verify` is no option of a filter, nor `--seed` of a reader: what is not used is an error."""
    assert [fault.what for fault in check(TOP, {"k": 1, "verify": True})[2]] == ["filter top has no option 'verify'"]
    assert [fault.what for fault in check(registry.find("ingest", "pairs"), {"seed": 1})[2]] == ["ingest pairs has no option 'seed'"]


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_what_an_operator_reads_it_has_a_flag_for(operator: Operator) -> None:
    """A setting among its parameters is never silently the default."""
    assert {name for name in Settings.model_fields if name in operator.parameters} <= set(settings_of(operator))


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_the_schema_and_the_check_agree(operator: Operator) -> None:
    """The schema of an operator is valid, describes every option, and passes its defaults."""
    schema = json_schema(operator)
    jsonschema.Draft202012Validator.check_schema(schema)
    for name, shape in schema["properties"].items():
        assert shape["description"], name
        assert takes(shape)
        if "default" in shape:
            jsonschema.validate(shape["default"], shape)


def test_a_text_that_a_flag_gives_is_read_as_its_type() -> None:
    """The command line has texts only; numbers, switches and sizes are made of them."""
    own, settings, faults = check(BM25, {"depth": "7", "verify": "no", "limit": "3", "max_memory": "1.5GiB", "language": "no"})
    assert (own["depth"], settings.verify, settings.limit, settings.max_memory, faults) == (7, False, 3, 3 << 29, [])
    assert settings.language == "no"  # Norwegian is not false


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000000", 10**6), ("512MB", 512 * 10**6), ("2GiB", 2 << 30), ("1.5k", 1500), (" 4 gib ", 4 << 30), (7, 7), ("1t", 10**12)],
)
def test_sizes(text: object, size: int) -> None:
    """K, M, G and T are powers of 1000, Ki and so on of 1024."""
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1ib", "1e9", "4 pigs", "0", "0.0001k", "1 2", "٣"])
def test_no_sizes(text: str) -> None:
    """What is not a size above zero is refused."""
    with pytest.raises(ValueError, match="size"):
        size_bytes(text)


@given(st.text(max_size=8))
def test_a_size_is_above_zero_or_refused(text: str) -> None:
    """No text crashes, and none gives zero bytes, which would read as no limit."""
    with contextlib.suppress(ValueError):
        assert size_bytes(text) >= 1


def test_the_record_leaves_out_what_changes_no_row() -> None:
    """Workers, batch size and memory make no other rows, ids or digests."""
    pairs = pl.read_ndjson("sample_data/pairs.jsonl").head(9)
    corpus = pl.DataFrame({"id": ["a", "b"], "text": ["the moon and the tide", "a loaf of bread"]})
    plain = negforge.run("generate mine.bm25", pairs, corpus=corpus)
    other = negforge.run("generate mine.bm25", pairs, corpus=corpus, workers=1, batch_size=2, max_memory="64MiB")
    assert plain.report.outcome.digests == other.report.outcome.digests


def test_metavars_and_choices_come_from_the_schema() -> None:
    """Help reads the same declaration."""
    shapes = json_schema(BM25)["properties"]
    names = ("depth", "tokeniser", "limit", "keep_labels", "rename", "max_memory", "verify", "language")
    assert [metavar(shapes[name]) for name in names] == [
        "N", "[simple|english|whitespace]", "N", "[unknown|positive]", "OLD=NEW", "SIZE", "", "TEXT",
    ]  # fmt: skip
    assert choices(shapes["tokeniser"]) == ["simple", "english", "whitespace"]
    assert takes(pydantic.TypeAdapter(float | None).json_schema()) == "a number"


def test_a_long_example_stands_in_the_help_not_in_its_name() -> None:
    """An example of one word names the value; a longer one is told in a sentence."""
    short, long = ({"type": "string", "examples": [one]} for one in ("OLD=NEW", "draw < 3"))
    assert (metavar(short), for_example(short)) == ("OLD=NEW", "")
    assert (metavar(long), for_example(long)) == ("TEXT", ' For example "draw < 3".')
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}], "examples": ["score_x"]}
    assert metavar(optional) == "score_x"


def test_an_error_arrives_whole_from_a_worker() -> None:
    """An option's error survives pickling, fault by fault."""
    fault = check(BM25, {"depth": 0})[2][0]
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.option) == (str(fault), "depth")
    both = pickle.loads(pickle.dumps(negforge.errors.FaultsError([fault, UsageError("b")], "x")))
    assert str(both) == f"x has 2 faults\n- {fault}\n- b"


def test_a_language_whose_grammar_an_operator_does_not_know_is_refused() -> None:
    """Rules of English on a German text would make nonsense; what reads digits alone works in any language (makcedward/nlpaug#289)."""
    negation = registry.find("generate", "perturb.negation")
    faults = check(negation, {"language": "de"})[2]
    assert [str(one) for one in faults]
    assert "knows the grammar of en alone" in str(faults[0])
    assert not check(negation, {"language": "en"})[2]
    assert not check(negation, {})[2]
    assert not check(NUMBER, {"language": "de"})[2]
