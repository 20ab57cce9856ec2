"""`show` prints a table's state, `operators show` an operator's manual."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest

from negforge import registry
from negforge.options import Settings
from negforge.registry import Operator
from negforge.showing import example, facts, manual, reflowed
from tests.models import static_model
from tests.reranking import Reranking
from tests.shell import call, good, on_terminal, shell


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs, a corpus, negatives, and a dataset of two versions."""
    folder = tmp_path_factory.mktemp("tables")
    # With what some operators look for: accepted answers, and what document a passage is of.
    answers = pl.col("positive").str.extract_all("[0-9]+").alias("answers")
    pl.read_ndjson("sample_data/pairs.jsonl").with_columns(answers).write_parquet(folder / "with-answers.parquet")
    good("ingest", "pairs", folder / "with-answers.parquet", "-o", folder / "pairs.parquet")
    group = (pl.int_range(pl.len()) // 8).cast(pl.String).alias("group")
    pl.read_ndjson("sample_data/beir/corpus.jsonl").with_columns(group).write_parquet(folder / "with-group.parquet")
    good("ingest", "corpus", folder / "with-group.parquet", "-o", folder / "corpus.parquet")
    mine: list[str | Path] = ["generate", "mine.bm25", folder / "pairs.parquet", "--corpus", folder / "corpus.parquet"]
    good(*mine, "-n", "3", "-o", folder / "negatives.parquet")
    for k in ("1", "2"):
        good("filter", "top", folder / "negatives.parquet", "--k", k, "-o", folder / "set")
    return folder


def test_show_tells_versions_counts_and_stages(tables: Path) -> None:
    """The newest version, what is beside it, each stage with its options, and the first rows."""
    out = good("show", tables / "set").out
    manifest = json.loads((tables / "set/.negforge/v2/manifest.json").read_text(encoding="utf-8"))
    assert out.startswith(f"{tables}/set: negatives, v2 of v1, v2, made ")
    assert f"  {manifest['rows']} rows in data/v2, in 1 shard\n" in out
    assert (
        f"  {manifest['dropped']['rows']} dropped and {manifest['dropped']['other_labels']} of another label in .negforge/v2/dropped" in out
    )
    assert f"  rows_digest {manifest['digests']['rows_digest']}\n" in out
    assert [line.split(":")[0].strip() for line in out.splitlines() if ": seed " in line] == [
        "ingest pairs",
        "generate mine.bm25",
        "filter top",
    ]
    assert "filter top: seed 0, k 2, by rank, order auto" in out
    assert out.splitlines()[-4].split() == ["anchor", "positive", "negative", "label"]
    assert all(len(line) <= 80 for line in out.splitlines()[1:])


def test_show_an_older_version_and_more_rows(tables: Path) -> None:
    """`DIR@v1` names a version; `--rows` says how many rows, also none."""
    out = good("show", f"{tables}/set@v1", "--rows", "5").out
    assert ", v1 of v1, v2, made" in out
    assert "k 1" in out
    head = next(place for place, line in enumerate(out.splitlines()) if line.startswith("anchor "))
    assert len(out.splitlines()) == head + 6
    assert "\nanchor " not in good("show", tables / "set", "--rows", "0").out


def test_show_json_is_the_manifest(tables: Path) -> None:
    """One document, the manifest as it was published."""
    manifest = json.loads((tables / "set/.negforge/v1/manifest.json").read_text(encoding="utf-8"))
    assert json.loads(good("show", f"{tables}/set@v1", "--json").out) == manifest


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ("sett", 3, ["there is no folder", "did you mean set?"]),
        ("nowhere/at/all", 3, ["there is no folder", "check the path"]),
        (".", 3, ["is not a dataset of negforge"]),
        ("pairz.parquet", 3, ["there is no file", "did you mean", "pairs.parquet?"]),
        ("*.parq", 3, ["no file matches"]),
        ("README.md", 3, ["has no known format"]),
        ("*.parquet", 3, ["these are tables of several kinds"]),
        ("set@v9", 3, ["has no version v9", "it has v1, v2"]),
        ("set@vx", 2, ["names no version", "set@v1"]),
        ("nowhere@v1", 3, ["there is no folder"]),
    ],
)
def test_show_what_is_no_dataset(tables: Path, spec: str, code: int, words: list[str]) -> None:
    """A missing folder, one that is something else, and a missing version are told apart; stdout stays empty."""
    (tables / "README.md").touch()
    done = call("show", str(tables / spec) if spec != "." else str(tables))
    assert (done.code, done.out) == (code, "")
    assert all(word in done.err for word in words), done.err


def test_show_a_file_tells_what_a_dataset_tells(tables: Path) -> None:
    """Kind, rows by operator and label, drops by reason, stages with options and first rows, of any file that has them."""
    for name in ("best.parquet", "best.arrow", "best.jsonl", "best.csv"):
        folder = tables / name.replace(".", "-")
        good("filter", "top", tables / "negatives.parquet", "--k", "2", "-o", folder / name)
        out = good("show", folder / name).out.replace("\n      ", " ")
        assert out.startswith(f"{folder / name}: negatives\n")
        kept = pl.read_parquet(tables / "best-parquet/best.parquet")
        lost = pl.read_parquet(folder / "best.dropped.parquet")
        assert f"  {kept.height} rows, {lost.height} dropped\n" in out
        labels = dict(sorted(kept["label"].value_counts().iter_rows(), key=lambda one: -one[1]))
        assert "  rows of mine.bm25: " + ", ".join(f"{label} {rows}" for label, rows in labels.items()) + "\n" in out
        assert f"  dropped by filter top: beyond-k {lost.height}\n" in out
        assert "    filter top: seed 0, k 2, by rank, order auto seen " in out
        assert out.splitlines()[-4].split() == ["anchor", "positive", "negative", "label"]


def test_show_a_file_as_json_is_as_a_manifest(tables: Path) -> None:
    """Its counts, contents and stages are under the keys that a dataset's manifest has them under."""
    good("filter", "top", tables / "negatives.parquet", "--k", "2", "-o", tables / "two.parquet")
    found = json.loads(good("show", tables / "two.parquet", "--json").out)
    manifest = json.loads((tables / "set/.negforge/v2/manifest.json").read_text(encoding="utf-8"))
    assert {*found} - {*manifest} == {"name"}
    assert found["stages"] == manifest["stages"]
    assert found["digests"]["dropped_digest"] == manifest["digests"]["dropped_digest"]
    assert found["contents"]["drops"] == manifest["contents"]["drops"]
    assert sum(one["rows"] for one in found["contents"]["labels"]) == found["rows"]


def test_show_a_pipe(tables: Path) -> None:
    """What comes through a pipe is shown with its history and its dropped rows; the rows end here."""
    done = shell(f"negforge filter top {tables}/negatives.parquet --k 1 -q | negforge show -", tables)
    assert done.code == 0, done.err
    assert done.out.startswith("standard input: negatives\n")
    assert "  dropped by filter top: beyond-k " in done.out
    assert "    filter top: seed 0, k 1" in done.out


def test_show_dropped_rows(tables: Path) -> None:
    """The first ones of each reason, with the reason and what condemned them, from a dataset, a file and a file of text."""
    good("filter", "top", tables / "negatives.parquet", "--k", "2", "-o", tables / "k2.parquet")
    for place in ("d.parquet", "d", "d-text/d.jsonl"):
        good("filter", "where", tables / "k2.parquet", "--keep", "rank < 2", "-o", tables / place)
        out = good("show", tables / place, "--dropped", "--rows", "2").out
        lines = out.splitlines()
        head = next(number for number, line in enumerate(lines) if line.startswith("drop_reason "))
        assert lines[head].split() == ["drop_reason", "drop_value", "anchor", "negative"]
        reasons = [line.split()[0] for line in lines[head + 1 :]]
        counts = pl.read_parquet(tables / "d.dropped.parquet")["drop_reason"].value_counts()
        assert counts.height == 2
        assert {name: reasons.count(name) for name in reasons} == {name: min(2, rows) for name, rows in counts.iter_rows()}


def test_show_what_negforge_did_not_write(tables: Path) -> None:
    """A table of others: its rows and columns, what kind it may be by its columns, and no digest that would promise anything."""
    out = good("show", "sample_data/pairs.jsonl").out
    assert out.startswith("sample_data/pairs.jsonl: pairs by its columns, not written by negforge\n  80 rows\n  columns: id, ")
    assert "rows_digest" not in out
    (tables / "q.csv").write_text("question,reply\nwhy,so\n", encoding="utf-8")
    assert good("show", tables / "q.csv").out.startswith(f"{tables}/q.csv: not written by negforge\n  1 row\n  columns: question, reply\n")


def test_dropped_rows_of_another_text_are_not_shown(tables: Path) -> None:
    """A file of text that was edited is no longer what the rows beside it came from."""
    folder = tables / "edited"
    good("filter", "top", tables / "negatives.parquet", "--k", "1", "-o", folder / "n.jsonl")
    lines = (folder / "n.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "n.jsonl").write_text("".join(lines[1:]), encoding="utf-8")
    foreign = f"{folder}/n.jsonl: negatives by its columns, not written by negforge\n"
    assert good("show", folder / "n.jsonl").out.startswith(foreign)
    (folder / "n.dropped.parquet").write_bytes(b"PAR1 and no more")
    assert good("show", folder / "n.jsonl").out.startswith(foreign)


def test_croissant_is_for_datasets(tables: Path) -> None:
    """A file has no address and no card."""
    done = call("show", tables / "pairs.parquet", "--croissant")
    assert (done.code, done.out) == (2, "")
    assert "--croissant is for a dataset" in done.err


@pytest.mark.parametrize(("variable", "bold"), [("NO_COLOR", False), ("OTHER", True)])
def test_no_color_is_plain(variable: str, bold: bool, tables: Path) -> None:
    """With NO_COLOR a table on a terminal has no escape, bold neither; but for the one that clears the line of progress."""
    done = on_terminal(["filter", "top", tables / "negatives.parquet", "--k", "1"], env={variable: "1"})
    assert ("\x1b[1m" in done.out) is bold
    assert ("\x1b[" in done.out.replace("\r\x1b[K", "")) is bold


def test_what_a_dataset_holds_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Escapes in texts and in options are shown, not obeyed."""
    evil = "\x1b[2J\x9b31m"
    (tmp_path / "p.jsonl").write_text(json.dumps({"anchor" + evil: f"a{evil}", "positive": f"b{evil}"}), encoding="utf-8")
    good("ingest", "pairs", tmp_path / "p.jsonl", "--anchor", f"anchor{evil}", "-o", tmp_path / "set")
    for done in (good("show", tmp_path / "set"), good("show", tmp_path / "set", "--json")):
        assert done.out.replace("\n", "").isprintable()
    assert json.loads(done.out)["stages"][0]["options"]["anchor"] == f"anchor{evil}"


# -- manuals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_a_manual_has_everything(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every word of the docstring, every option, every fact and a line to type; and no line is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    text = manual(operator)
    assert "".join(operator.doc.split()) in "".join(text.split())  # a line may end at a hyphen within a word
    for name in (*operator.options(), *operator.sides):
        assert f"--{name.replace('_', '-')}" in text
    assert all(len(line) <= 80 or line.strip() == example(operator) for line in text.splitlines())
    assert "<" not in text.partition("Options:")[0].replace("<=", "").partition("Inputs:")[2]
    assert [title for title, _ in facts(operator)][:3] == ["Reads", "Writes", "Scope"]
    assert text.endswith(f"Example:\n  {example(operator)}\n")


def _score(path: Path, by: str) -> None:
    """Put scores of that name into a table: of each text, and of its positive."""
    frame = pl.read_parquet(path)
    path.unlink()
    for end, text in (("", "negative"), ("_positive", "positive")):
        frame = frame.with_columns((frame[text].str.len_chars() / 1000).alias(f"score_{by}{end}"))
    frame.write_parquet(path)


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_the_line_to_type_works(operator: Operator, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with tables of the kinds it names, the example runs as it stands."""
    root = Path.cwd()
    for path in tables.glob("*.parquet"):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    source = {
        **dict.fromkeys(("pairs", "tags"), "sample_data/pairs.jsonl"),
        **dict.fromkeys(("corpus", "continuations"), "sample_data/beir/corpus.jsonl"),
    }
    line = example(operator).replace("FILE", str(root / source.get(operator.name, ""))).replace("FOLDER", str(root / "sample_data/beir"))
    words = shlex.split(line)
    assert words[0] == "negforge"
    if "--model" in words:
        static_model(tmp_path / words[words.index("--model") + 1])
    if "--reranker" in words:  # the tests have no library for a model in a folder
        words[words.index("--reranker") + 1] = Reranking().spec
    if "--run" in words:
        (tmp_path / words[words.index("--run") + 1]).symlink_to(root / "sample_data" / "run.trec")
    if "by" in operator.options():
        by = words[words.index("--by") + 1] if "--by" in words else operator.options()["by"].default
        _score(tmp_path / "negatives.parquet", by)
    if "tests" in operator.options():
        frame = pl.read_parquet(tmp_path / "negatives.parquet").with_columns(tests=pl.lit("assert True"))
        (tmp_path / "negatives.parquet").unlink()
        frame.write_parquet(tmp_path / "negatives.parquet")
    assert all(Path(word).exists() for word in words[:-1] if word.endswith(".parquet")), "the sample has no such table"
    good(*words[1:])


def test_operators_lists_and_shows() -> None:
    """A line an operator; as JSON the declaration too; one by its name, with or without its verb."""
    lines = good("operators").out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [one.title for one in registry.every_operator()]
    rows = json.loads(good("operators", "--json").out)
    assert [(row["verb"], row["name"], row["summary"]) for row in rows] == [(o.verb, o.name, o.summary) for o in registry.every_operator()]
    assert all(row["version"] >= 1 and row["scope"] in ("row", "anchor", "table") for row in rows)
    assert good("operators", "show", "mine.bm25").out == good("operators", "show", "generate mine.bm25").out


def test_the_languages_of_operators_that_change_texts_are_listed() -> None:
    """A line each, with what the file declares, or `any`; on its page too; none of an operator that changes no text."""
    lines = dict(re.split(r"\s{2,}", line) for line in good("operators", "--languages").out.splitlines())
    assert lines["generate perturb.number"] == "any"
    assert {one.title for one in registry.every_operator() if one.declared.get("edits") or one.declared.get("languages")} == {*lines}
    assert all(
        lines[one.title] == ", ".join(one.declared["languages"]) for one in registry.every_operator() if one.declared.get("languages")
    )
    assert re.search(r"Languages:?\s+any", good("operators", "show", "perturb.number").out)


@pytest.mark.parametrize(
    ("name", "mend"), [("mine.bm26", "did you mean mine.bm25?"), ("tpo", "did you mean top?"), ("qqqq", "negforge operators lists")]
)
def test_a_misspelt_operator_is_suggested(name: str, mend: str) -> None:
    """Exit 2 and the nearest name."""
    done = call("operators", "show", name)
    assert (done.code, done.out) == (2, "")
    assert f"there is no operator '{name}'" in done.err
    assert mend in done.err


def test_docstrings_are_wrapped_anew() -> None:
    """Hard line ends go, paragraphs and lists stay, and the source gets a paragraph of its own."""
    doc = "One.\n\nTwo lines\nof text.\nSource: a,\nb.\n\n- one and\n  a half\n- two\nmore"
    assert reflowed(doc, 8) == "One.\n\nTwo lines of text.\n\nSource: a, b.\n\n\b\n- one\n  and a\n  half\n- two\n\nmore"


def test_an_operator_is_shown_by_any_of_its_names() -> None:
    """As the README's table names it, without its verb, or by the last part."""
    whole = good("operators", "show", "generate mine.bm25").out
    assert whole == good("operators", "show", "generate", "mine.bm25").out == good("operators", "show", "mine.bm25").out
    assert good("operators", "show", "bm25").out.startswith(whole)  # and that of `score bm25`
    assert good("operators", "show", "same-group").out == good("operators", "show", "mine.same-group").out


def test_commands_in_manuals_have_options_that_exist() -> None:
    """A command is quoted as one would type it: a verb, an operator, and its options; no operator takes an expression bare."""
    quoted = [
        (operator.title, verb, name, shlex.split(rest))
        for operator in registry.our_operators()
        for verb, name, rest in re.findall(r"`(?:negforge )?([a-z]+) ([a-z.-]+)(?: ([^`]+))?`", operator.doc.replace("\n", " "))
        if verb in registry.VERBS and name in registry.operators(verb)
    ]
    assert len(quoted) > 10
    for where, verb, name, words in quoted:
        operator = registry.find(verb, name)
        flags = {"--" + one.replace("_", "-") for one in (*operator.options(), *operator.sides, *Settings.model_fields)}
        assert not [word for word in words if word.startswith("--") and word not in flags], where
        assert not words or words[0].startswith("-"), f"{where}: {words}"
