"""What `-o` may name: a file that is not ours stays as it is, and a file's suffix makes no folder."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import negforge
from negforge.errors import PipelineError, UsageError
from negforge.formats import METADATA
from negforge.pipeline import load
from tests.conftest import ROOT
from tests.shell import call, good

PAIRS = ROOT / "sample_data/pairs.jsonl"
MEND = "name another file, or delete it first"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs, a corpus and negatives."""
    folder = tmp_path_factory.mktemp("tables")
    good("ingest", "pairs", PAIRS, "-o", folder / "pairs.parquet")
    good("ingest", "corpus", ROOT / "sample_data/beir/corpus.jsonl", "-o", folder / "corpus.parquet")
    good("generate", "mine.bm25", folder / "pairs.parquet", "--corpus", folder / "corpus.parquet", "-n", "2", "-o", folder / "n.parquet")
    return folder


def _foreign(name: str, path: Path, tables: Path) -> str:
    """Put a file that is no table of negatives at the path, of the form that its name tells; what the message says of it."""
    rows = pl.DataFrame({"question": ["why"], "reply": ["so"]})
    if name == "cut":
        path.write_bytes((tables / "n.parquet").read_bytes()[:300])
        return "it cannot be read as"
    if name == "pairs" and path.suffix == ".parquet":
        path.write_bytes((tables / "pairs.parquet").read_bytes())
        return "it is a table of pairs"
    if name == "pairs":
        good("ingest", "pairs", PAIRS, "-o", path)
        return "it is a table of pairs"
    getattr(rows, {".parquet": "write_parquet", ".arrow": "write_ipc", ".csv": "write_csv", ".jsonl": "write_ndjson"}[path.suffix])(path)
    return "its columns: question, reply"


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["run", "dry"])
@pytest.mark.parametrize("held", ["data", "pairs", "cut"])
@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl"])
def test_a_file_of_another_kind_stays(form: str, held: str, more: list[str], tables: Path, tmp_path: Path) -> None:
    """A person's data, a table of another kind and the rest of a broken file are refused before any work, byte for byte as they were."""
    path = tmp_path / f"qa.{form}"
    holds = _foreign(held, path, tables)
    before = path.read_bytes()
    done = call("filter", "top", tables / "n.parquet", "--k", "1", "-o", path, *more)
    assert done.code == 2
    assert f"-o {path} would replace a file that negforge did not write as negatives" in done.err
    assert holds in done.err
    assert MEND in done.err
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl"])
def test_what_was_written_is_replaced(form: str, tables: Path, tmp_path: Path) -> None:
    """A table of the kind, whatever its rows, and an empty file: what lies there afterwards is what was asked for last."""
    path, alone = tmp_path / f"best.{form}", tmp_path / "alone"
    alone.mkdir()
    path.touch()
    source = str(tables / "n.parquet")
    top, none = ["filter", "top", source, "--k"], ["filter", "where", source, "--keep", "draw < 0"]
    held = []
    for number, words in enumerate(([*top, "1"], [*top, "2"], [*top, "2"], ["merge", source], none, none)):
        good(*words, "-o", path)
        good(*words, "-o", alone / f"{number}.{form}")
        held.append((path.read_bytes(), (alone / f"{number}.{form}").read_bytes()))
    assert all(here == there for here, there in held)
    assert len({here for here, _ in held}) == 4


def test_an_export_replaces_its_own(tables: Path, tmp_path: Path) -> None:
    """Whatever its columns, those of the table it read too; neither a table of ours in Parquet nor one of another kind."""
    for _ in range(2):
        good("export", "jsonl", tables / "n.parquet", "-o", tmp_path / "all.jsonl")
        good("export", "jsonl", tables / "n.parquet", "--columns", "anchor", "--columns", "negative", "-o", tmp_path / "some.csv")
        good("export", "sentence-transformers", tables / "n.parquet", "--layout", "triplet", "-o", tmp_path / "t.parquet")
    good("ingest", "pairs", PAIRS, "-o", tmp_path / "pairs.jsonl")
    for place in (tables / "pairs.parquet", tmp_path / "pairs.jsonl"):
        done = call("export", "jsonl", tables / "n.parquet", "-o", place)
        assert done.code == 2
        assert "did not write as a trainer's layout" in done.err
        assert "it is a table of pairs" in done.err


@pytest.mark.parametrize("name", ["mine.csv", "mine.jsonl"])
def test_an_export_spares_text_that_is_not_its_own(name: str, tables: Path, tmp_path: Path) -> None:
    """A person's text without the columns of any table stays, also beside the sidecar of another export, as does a table of ours."""
    path = tmp_path / name
    _foreign("data", path, tables)
    before = path.read_bytes()
    good("export", "jsonl", tables / "n.parquet", "-o", tmp_path / f"other{path.suffix}")
    for words in (["jsonl"], ["jsonl", "--columns", "anchor"], ["sentence-transformers"]):
        done = call("export", *words, tables / "n.parquet", "-o", path)
        assert done.code == 2
        assert "its columns: question, reply" in done.err
    assert path.read_bytes() == before
    good("filter", "top", tables / "n.parquet", "--k", "1", "-o", tmp_path / f"n{path.suffix}")
    assert "it is a table of negatives" in call("export", "jsonl", tables / "n.parquet", "-o", tmp_path / f"n{path.suffix}").err


def test_an_export_as_text_is_known_by_what_lies_beside_it(tables: Path, tmp_path: Path) -> None:
    """Whatever its columns become; of chosen columns the ids are there, row for row."""
    path = tmp_path / "e.jsonl"
    for words in (["jsonl"], ["jsonl", "--columns", "negative", "--columns", "label"], ["flag-embedding"], ["jsonl"]):
        good("export", *words, tables / "n.parquet", "--keep-labels", "positive", "-o", path)
        beside = pl.read_parquet(tmp_path / "e.provenance.parquet")
        assert beside["row"].to_list() == [*range(len(path.read_text(encoding="utf-8").splitlines()))]
        if words[1:2] == ["--columns"]:
            assert beside.drop("row").columns == ["anchor_id", "source_id", "id", "operator"]
            wanted = dict(pl.read_parquet(tables / "n.parquet").select("id", "negative").iter_rows())
            assert [wanted[one] for one in beside["id"]] == pl.read_ndjson(path)["negative"].to_list()


@pytest.mark.parametrize("name", ["dropped", "provenance"])
def test_a_file_where_a_sidecar_goes_stays(name: str, tables: Path, tmp_path: Path) -> None:
    """What negforge did not write is not replaced by the dropped rows of a table, nor by the provenance of an export."""
    mine = tmp_path / f"x.{name}.parquet"
    pl.DataFrame({"precious": [1]}).write_parquet(mine)
    before = mine.read_bytes()
    done = call("export", "sentence-transformers", tables / "n.parquet", "-o", tmp_path / "x.parquet")
    assert done.code == 2
    assert f"may replace {mine}, which negforge did not write" in done.err
    assert "its columns: precious" in done.err
    code = call("filter", "top", tables / "n.parquet", "--k", "1", "-o", tmp_path / "x.parquet").code
    assert code == (2 if name == "dropped" else 0)
    assert mine.read_bytes() == before


def test_pairs_do_not_replace_negatives(tables: Path, tmp_path: Path) -> None:
    """Negatives as text have every column of pairs, and are none."""
    good("filter", "top", tables / "n.parquet", "--k", "1", "-o", tmp_path / "n.jsonl")
    done = call("ingest", "pairs", PAIRS, "-o", tmp_path / "n.jsonl")
    assert done.code == 2
    assert "it is a table of negatives" in done.err


def test_merge_the_python_call_and_pipelines_ask_the_same(tables: Path, tmp_path: Path) -> None:
    """A person's file is safe from all of them."""
    path = tmp_path / "qa.csv"
    path.write_text("question,reply\nwhy,so\n", encoding="utf-8")
    done = call("merge", tables / "n.parquet", "-o", path)
    assert done.code == 2
    assert MEND in done.err
    with pytest.raises(UsageError, match="did not write as negatives"):
        negforge.run("filter top", tables / "n.parquet", k=1, output=path)
    text = f'[[stage]]\nname = "top"\nuse = "filter top"\ninput = "{tables}/n.parquet"\nk = 1\noutput = "{path}"\n'
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match="did not write as negatives"):
        load(str(tmp_path / "p.toml"), {}, [])
    assert path.read_text(encoding="utf-8") == "question,reply\nwhy,so\n"


def test_a_pipeline_heals_what_it_made_alone(tables: Path, tmp_path: Path) -> None:
    """The rest of a Parquet file that no run of the stage wrote stays, as it does on the command line; its own is made again."""
    path = tmp_path / "best.parquet"
    text = f'[[stage]]\nname = "top"\nuse = "filter top"\ninput = "{tables}/n.parquet"\nk = 1\noutput = "{path}"\n'
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    rest = (tables / "n.parquet").read_bytes()[:300]
    path.write_bytes(rest)
    for more in ([], ["--no-resume"], []):
        done = call("run", tmp_path / "p.toml", *more)
        assert done.code == 2
        assert f"stage 'top': -o {path} would replace a file that negforge did not write" in done.err
        assert path.read_bytes() == rest
    path.unlink()
    good("run", tmp_path / "p.toml")
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    good("run", tmp_path / "p.toml")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ["x.doc", "mk.py", "deep/x.zip", "n.JSNL5"])
def test_a_suffix_of_a_file_makes_no_folder(name: str, tables: Path, tmp_path: Path) -> None:
    """A known format is asked for, unless a slash says that a folder is meant."""
    done = call("filter", "top", tables / "n.parquet", "--k", "1", "-o", tmp_path / name)
    assert done.code == 2
    assert "has no known format" in done.err or "would be a folder" in done.err
    assert not any(tmp_path.iterdir())
    for _ in range(2):
        good("filter", "top", tables / "n.parquet", "--k", "1", "-o", f"{tmp_path / name}/")
    assert (tmp_path / name / ".negforge/v1").is_dir()


@pytest.mark.parametrize("name", ["set.v2", "set.2026", "set", ".set", "set.negatives"])
def test_other_names_are_folders(name: str, tables: Path, tmp_path: Path) -> None:
    """A version, a date, a long word after the dot, or no dot at all."""
    good("filter", "top", tables / "n.parquet", "--k", "1", "-o", tmp_path / name)
    assert (tmp_path / name / ".negforge/v1").is_dir()


def _forms(folder: Path, stem: str) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(folder.glob(f"{stem}.*"))}


def test_a_sidecar_vouches_for_its_own_file_alone(tables: Path, tmp_path: Path) -> None:
    """A person's text of the same stem is not taken for an export, whether the export is there or was removed."""
    good("export", "sentence-transformers", tables / "n.parquet", "-o", tmp_path / "train.jsonl")
    (tmp_path / "train.csv").write_text("question,reply\nwhy,so\n", encoding="utf-8")
    for _ in range(2):
        before = _forms(tmp_path, "train")
        done = call("export", "sentence-transformers", tables / "n.parquet", "-o", tmp_path / "train.csv")
        assert done.code == 2
        assert "its columns: question, reply" in done.err
        assert _forms(tmp_path, "train") == before
        (tmp_path / "train.jsonl").unlink(missing_ok=True)


def test_two_exports_of_one_stem_keep_their_provenance(tables: Path, tmp_path: Path) -> None:
    """The second is refused before any work; each may be made again, and rows that no trainer reads may have that stem."""
    first = ["export", "jsonl", str(tables / "n.parquet"), "--keep-labels", "positive", "-o", str(tmp_path / "train.jsonl")]
    good(*first)
    before = _forms(tmp_path, "train")
    done = call("export", "sentence-transformers", tables / "n.parquet", "--layout", "labeled-pair", "-o", tmp_path / "train.csv")
    assert done.code == 2
    assert f"{tmp_path / 'train.provenance.parquet'} belongs to {tmp_path / 'train.jsonl'}" in done.err
    assert "choose another stem, or write a folder" in done.err
    good("merge", tables / "n.parquet", "-o", tmp_path / "train.parquet")
    good(*first)
    assert {name: held for name, held in _forms(tmp_path, "train").items() if name != "train.parquet"} == before


def test_two_exports_of_one_stem_in_a_pipeline(tables: Path, tmp_path: Path) -> None:
    """What the first stage made stays, though neither was there when the file was checked."""
    stage = f'[[stage]]\nname = "%s"\nuse = "export jsonl"\ninput = "{tables}/n.parquet"\noutput = "{tmp_path}/train.%s"\n'
    (tmp_path / "p.toml").write_text(stage % ("one", "jsonl") + stage % ("two", "csv"), encoding="utf-8")
    done = call("run", tmp_path / "p.toml")
    assert done.code == 2
    assert f"belongs to {tmp_path / 'train.jsonl'}" in done.err
    assert not (tmp_path / "train.csv").exists()


def test_a_sidecar_of_an_earlier_version_is_of_the_one_file_there(tables: Path, tmp_path: Path) -> None:
    """It does not say whose it is: an export is replaced, unless two files could be it."""
    words = ["export", "jsonl", str(tables / "n.parquet"), "-o", str(tmp_path / "e.jsonl")]
    good(*words)
    beside = tmp_path / "e.provenance.parquet"
    table = pq.read_table(beside)
    notes = json.loads(pq.read_metadata(beside).metadata[METADATA])
    assert notes.pop("suffix") == ".jsonl"
    pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(notes)}), beside)
    (tmp_path / "e.csv").write_text("question,reply\nwhy,so\n", encoding="utf-8")
    assert f"belongs to {tmp_path / 'e.csv'}" in call(*words).err
    (tmp_path / "e.csv").unlink()
    good(*words)
