"""What tests of operators that edit a tagged text share: run one on texts, and the laws of whatever it yields."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st

import negforge
from negforge import registry, tagging
from negforge.contract import Edit, Refusal
from negforge.records import Pairs
from negforge.rng import Rng

Generate = Callable[..., Iterable[Edit | Refusal]]
BAD = (
    "",
    " ",
    "A",
    "?!",
    "A small \U0001f469\u200d\U0001f469\u200d\U0001f467 on a red cafe\u0301 \u202eright to left\u202c near a big dog.",
    "A dog\x00 on\x01 a \x7ftable \u2028 and a small\u0085cat",
    "\u05db\u05dc\u05d1 \u05e7\u05d8\u05df on a table",
    "THE SMALL DOG ON A TABLE",
    "Small Dogs on Tables: A History",
    "Is a small dog on a table?",
    "The \u0130stanbul dog \u0130 on a small table \u00df",
    "a small dog\non a table\r\nunder a red lamp",
    "'small' \"dog\" (on) [a] {table} -- / \\ | <b>",
)


def texts_of(words: str) -> st.SearchStrategy[str]:
    """Texts of these words, in any order and with odd marks between them, and texts of anything."""
    glue = st.sampled_from([" ", " ", " ", " ", ", ", ". ", "? ", "\n", "-", "/", " and ", "\u00a0", "\u2019s "])
    made = st.lists(st.tuples(st.sampled_from(words.split()), glue), max_size=14).map(lambda parts: "".join(a + b for a, b in parts))
    return st.one_of(made, made, st.text(), st.sampled_from(BAD))


def batch(texts: Iterable[str], ids: Iterable[str] | None = None) -> Pairs:
    """Tagged pairs of the texts, with ids from 0 unless given."""
    rows = list(texts)
    names = [str(place) for place in range(len(rows))] if ids is None else list(ids)
    frame = pl.DataFrame({"id": names, "positive": rows}, schema={"id": pl.String, "positive": pl.String})
    return Pairs(frame.with_columns(tagging.tagged(frame["positive"])))


def run(generate: Generate, texts: Iterable[str], *, seed: int = 0, num_negatives: int = 4, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return list(generate(batch(texts), Rng(seed, "generate perturb.tested"), num_negatives=num_negatives, **options))


def negatives(generate: Generate, text: str, **options: Any) -> list[str]:
    """The texts that one text gives."""
    return [apply(one, text) for one in run(generate, [text], **options) if isinstance(one, Edit)]


def refusal(generate: Generate, text: str, **options: Any) -> str:
    """The reason why one text gives nothing; nothing if it gives edits, `no-site` if it is passed over."""
    made = run(generate, [text], **options)
    if not made:
        return "no-site"
    return made[0].reason if isinstance(made[0], Refusal) else ""


def apply(edit: Edit, text: str) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def check_laws(texts: list[str], made: list[Edit | Refusal]) -> None:
    """An edit changes what it spans and can be undone; no two of a row are the same; a row is edited or refused, once, for a reason."""
    of_row: dict[str, list[Edit | Refusal]] = {}
    for one in made:
        of_row.setdefault(one.row_id, []).append(one)
    for row_id, found in of_row.items():
        text = texts[int(row_id)]
        assert len(found) == 1 or all(isinstance(one, Edit) for one in found)
        results = [apply(one, text) for one in found if isinstance(one, Edit)]
        assert len({*results}) == len(results)
        assert text not in results
        for one in found:
            if isinstance(one, Refusal):
                assert one.reason.replace("-", "").isalpha()
                continue
            assert 0 <= one.start < one.end <= len(text)
            changed = apply(one, text)
            assert apply(Edit(row_id, one.start, one.start + len(one.new), text[one.start : one.end]), changed) == text


def check_neighbours(generate: Generate, texts: list[str], seed: int) -> None:
    """Batches of one, and the reverse order, give the same for each row; fewer slots give the first of more."""
    ids = [f"row {place}" for place in range(len(texts))]
    rng = Rng(seed, "generate perturb.tested")
    together = list(generate(batch(texts, ids), rng, num_negatives=3))
    alone = [one for text, name in zip(texts, ids, strict=True) for one in generate(batch([text], [name]), rng, num_negatives=3)]
    assert alone == together
    assert sorted(generate(batch(texts[::-1], ids[::-1]), rng, num_negatives=3)) == sorted(together)
    firsts: dict[str, Edit | Refusal] = {}
    for one in together:
        firsts.setdefault(one.row_id, one)
    assert list(generate(batch(texts, ids), rng, num_negatives=1)) == [*firsts.values()]


def captions(folder: Path) -> list[str]:
    """Real captions of pictures."""
    rows = json.loads((folder / "sugarcrepe" / "replace_obj.json").read_text(encoding="utf-8"))
    return list(dict.fromkeys(row["caption"] for row in rows.values()))


def claims(folder: Path) -> list[str]:
    """Real claims about entities."""
    with (folder / "creak" / "dev.json").open(encoding="utf-8") as file:
        return [json.loads(line)["sentence"] for line in file]


def votes(folder: Path) -> list[dict[str, Any]]:
    """Captions and foils of relations, with the annotators' votes."""
    with gzip.open(folder / "valse" / "relations.json.gz", "rt", encoding="utf-8") as file:
        return list(json.load(file).values())


def check_real(title: str, generate: Generate, texts: list[str], least: float) -> None:
    """On real texts the laws hold, and a fair share of them has an edit, through the runner as well."""
    made = run(generate, texts, num_negatives=2)
    check_laws(texts, made)
    emitted = len({one.row_id for one in made if isinstance(one, Edit)})
    assert emitted >= least * len(texts), emitted
    frame = pl.DataFrame({"id": [str(place) for place in range(len(texts))], "anchor": texts, "positive": texts})
    assert negforge.run(title, frame, **allowed(title)).kept.filter(pl.col("label") == "negative").height > 0.9 * emitted


def allowed(title: str) -> dict[str, Any]:
    """What lets an operator run that is off by default."""
    return {"below_bar": True} if registry.find(*title.split()).declares.below else {}


def check_command(title: str, text: str, negative: str, folder: Path) -> None:
    """Data on stdout, counts on stderr."""
    from typer.testing import CliRunner

    from negforge.cli import app

    source = folder / "pairs.jsonl"
    rows = [{"id": "a", "anchor": text, "positive": text}, {"id": "b", "anchor": "x", "positive": "Hm."}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = CliRunner().invoke(app, [*title.split(), str(source), "--to", "jsonl", *(["--below-bar"] if allowed(title) else [])])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [json.loads(line)["negative"] for line in lines] == [negative]
    assert "emitted 1" in result.stderr


def check_long(generate: Generate, text: str) -> None:
    """A cell of a megabyte, which is not tagged, is passed over, and one that is tagged and long is edited in reasonable time."""
    assert run(generate, [text * (1_000_000 // len(text))]) == []
    check_laws([text * 200], run(generate, [text * 200]))


def negatives_as_run(title: str, text: str) -> str:
    """The first negative that the runner makes of one text, of the row `a`."""
    frame = pl.DataFrame({"id": ["a"], "anchor": [text], "positive": [text]})
    return str(negforge.run(title, frame, **allowed(title)).kept["negative"].item())
