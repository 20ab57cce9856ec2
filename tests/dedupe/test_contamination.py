"""Rows that hold texts of an evaluation set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError
from tests.dedupe.test_exact import row
from tests.dedupe.test_near import TEXT, drops, frame

TITLE = "dedupe contamination"
OTHER = "none of these words stands in what is evaluated on"
NEAR = TEXT.replace("cat", "hen")
PAIRS = pl.DataFrame(
    {"id": ["q2", "q1", "q3"], "anchor": ["Which animal sleeps?", "Which animal sleeps", "x"], "positive": [TEXT, "mats", "y"]}
)
CORPUS = pl.DataFrame({"id": ["d1"], "title": ["the quick"], "text": [TEXT.removeprefix("the quick ")]})


def rows() -> pl.DataFrame:
    """A row for each role that holds a text of the evaluation set, and one that holds none."""
    return frame(
        {**row("n1", OTHER, positive="p"), "anchor": "which animal SLEEPS ?"},
        {**row("n2", OTHER, positive=NEAR), "anchor": "b"},
        {**row("n3", TEXT.upper(), positive="p"), "anchor": "c"},
        {**row("n4", OTHER, positive="p"), "anchor": "d"},
    )


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, {"n1": "q1 1.0", "n2": "q2 0.74", "n3": "q2 1.0"}),
        ({"role": "anchor"}, {"n1": "q1 1.0"}),
        ({"role": "positive"}, {"n2": "q2 0.74"}),
        ({"role": "negative"}, {"n3": "q2 1.0"}),
        ({"threshold": 0.8}, {"n1": "q1 1.0", "n3": "q2 1.0"}),
    ],
)
def test_what_the_evaluation_set_has_goes_with_the_id_it_matches(options: dict[str, Any], found: dict[str, str]) -> None:
    """In any role or in one; of equal texts the lowest id is named (huggingface/datatrove#370)."""
    made = negforge.run(TITLE, rows(), against=PAIRS, **options)
    assert drops(made) == {name: ("contaminated", value) for name, value in found.items()}


def test_a_corpus_counts_with_its_titles() -> None:
    """The evaluation set may be a corpus, whose texts are title, a space, text."""
    assert drops(negforge.run(TITLE, rows(), against=CORPUS)) == {"n2": ("contaminated", "d1 0.74"), "n3": ("contaminated", "d1 1.0")}


def test_an_evaluation_set_is_pairs_or_a_corpus(tmp_path: Path) -> None:
    """Another table is refused with what it needs; what negforge wrote is known by its kind, and an empty set matches nothing."""
    with pytest.raises(InputError, match="no table of pairs or corpus"):
        negforge.run(TITLE, rows(), against=pl.DataFrame({"question": ["x"]}))
    rows().write_parquet(tmp_path / "rows.parquet")
    CORPUS.write_ndjson(tmp_path / "corpus.jsonl")
    run = CliRunner().invoke
    assert run(app, ["ingest", "corpus", str(tmp_path / "corpus.jsonl"), "-o", str(tmp_path / "corpus.parquet")]).exit_code == 0
    line = ["dedupe", "contamination", str(tmp_path / "rows.parquet"), "--against", str(tmp_path / "corpus.parquet"), "--to", "jsonl"]
    result = run(app, line)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2), result.stderr
    assert "seen 4, kept 2, dropped 2: contaminated 2 (rows)" in result.stderr
    assert negforge.run(TITLE, rows(), against=PAIRS.clear()).dropped.height == 0


def test_the_order_of_the_evaluation_set_is_all_the_same() -> None:
    """The same rows for the same reasons, whatever the order of either table and the size of batches."""
    many = pl.concat(
        [
            PAIRS,
            pl.DataFrame({"id": [f"r{at}" for at in range(300)], "anchor": [f"{TEXT} {at}" for at in range(300)]}).with_columns(
                positive=pl.lit("z")
            ),
        ]
    )
    made = [
        negforge.run(TITLE, rows(), against=many, batch_size=10),
        negforge.run(TITLE, rows().reverse(), against=many.sample(fraction=1, shuffle=True, seed=3), batch_size=1),
    ]
    assert len({one.report.outcome.digests["dropped_digest"] for one in made}) == 1
    assert {name: reason for name, (reason, _) in drops(made[0]).items()} == dict.fromkeys(("n1", "n2", "n3"), "contaminated")
    assert drops(made[0])["n3"] == ("contaminated", "q2 1.0")


def test_a_pipeline_takes_a_table_of_either_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows().write_parquet("rows.parquet")
    negforge.run("ingest pairs", PAIRS, output="pairs.parquet")
    negforge.run("ingest corpus", CORPUS, output="corpus.parquet")
    for side in ("pairs", "corpus"):
        stage = f'name = "s"\nuse = "{TITLE}"\ninput = "rows.parquet"\nagainst = "{side}.parquet"\noutput = "{side}-out.parquet"\n'
        Path("p.toml").write_text(f"[[stage]]\n{stage}", encoding="utf-8")
        made = CliRunner().invoke(app, ["run", "p.toml"])
        assert made.exit_code == 0, made.stderr
    stage = f'name = "s"\nuse = "{TITLE}"\ninput = "rows.parquet"\nagainst = "pairs-out.parquet"\noutput = "x.parquet"\n'
    Path("p.toml").write_text(f"[[stage]]\n{stage}", encoding="utf-8")
    made = CliRunner().invoke(app, ["run", "p.toml"])
    assert made.exit_code != 0
    assert "is a table of negatives, not of pairs or corpus" in made.stderr
