"""A caption's object denied, an absent one beside it: which objects, which sentences, and every reason for none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError, NegforgeError
from negforge.generate.perturb.negated_object import OBJECTS, TEMPLATES, plural, sentence

TITLE = "generate perturb.negated-object"
WORDS = "a two the dog dogs cat red hot no and or of for on toy table with sits 's . ? house \U0001f600 e\u0301 \u202e".split()
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=10).map(" ".join)


def run(texts: list[str], *, more: dict[str, list[Any]] | None = None, **options: Any) -> negforge.api.Result:
    """The operator over captions, with more columns."""
    frame = pl.DataFrame({"id": [str(at) for at in range(len(texts))], "anchor": texts, "positive": texts, **(more or {})})
    return negforge.run(TITLE, frame, **options)


def denied(text: str, **options: Any) -> set[str]:
    """The objects of a caption that are denied."""
    return set(run([text], num_negatives=30, **options).kept["denied"])


def reason(text: str, **options: Any) -> str:
    """Why a caption gives nothing."""
    return str(run([text], **options).dropped["drop_reason"][0])


def test_every_sentence_is_grammatical() -> None:
    """With `a` and `an`, one and several, sentences of thirteen kinds about every object."""
    assert len(TEMPLATES) == 13
    made = [sentence(one, name, many=many) for one in TEMPLATES for name in OBJECTS for many in (False, True)]
    assert len(set(made)) >= len(made) * 0.8
    assert not [one for one in made if re.search(r"\ba [aeio]|\ban [^aeiouh]|  |\{|\bare there a\b|\bno \w+s is\b", one)]
    assert sentence(TEMPLATES[2], "elephant", many=False) == "The picture does not show an elephant."
    assert sentence(TEMPLATES[0], "umbrella", many=False) == "There is no umbrella in the picture."
    assert sentence(TEMPLATES[0], "knife", many=True) == "There are no knives in the picture."
    assert [plural(one) for one in ("man", "sheep", "bench", "fire hydrant")] == ["men", "sheep", "benches", "fire hydrants"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A dog sleeps on a red sofa.", {"dog", "sofa"}),
        ("Two dogs are near a fire hydrant.", {"dog", "fire hydrant"}),
        ("A man is riding a bike down a road.", {"man", "bicycle", "road"}),
        ("A teddy bear on a bed.", {"teddy bear", "bed"}),
    ],
)
def test_named_objects_are_denied(text: str, names: set[str]) -> None:
    """Every object that a caption says is there, by any of its names."""
    assert denied(text) == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Is there a dog here?", "question"),
        ("Look at the dog here!", "exclamation"),
        ("If a dog comes, he barks.", "conditional"),
        ("He said the dog barks.", "reported"),
        ('The "dog" is here.', "quoted"),
        ("A dog.", "short"),
        ("There is no dog on the grass.", "negated"),
        ("A statue of a dog stands there.", "depicted"),
        ("He eats hot dogs at noon.", "compound"),
        ("A bag of dog food.", "compound"),
        ("They are eating out of doors.", "compound"),
        ("It lies near the dog's bowl.", "possessive"),
        ("They are waiting for a bus.", "sought"),
        ("It looks like a big dog.", "sought"),
        ("There is a dog or a goat.", "alternative"),
        ("They enjoy the warm weather.", "no-object"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    """A caption that does not surely say that an object is there gives its reason."""
    if why == "possessive":
        text = text.replace("bowl", "paw")
    assert reason(text) == why


def test_protect() -> None:
    """What matches is not denied."""
    assert denied("A dog sleeps on a sofa.", protect="dog") == {"sofa"}
    assert reason("A dog sleeps outside today.", protect="dog") == "protected"


def test_what_is_absent_is_named_by_no_caption_of_the_picture(tmp_path: Path) -> None:
    """Nor is a kind of it, a synonym, or what is noted; captions of one anchor or one image count together."""
    file = tmp_path / "objects.txt"
    file.write_text("zebra\ncanine\nferry\nviolin\nguitar\n", encoding="utf-8")
    texts = ["A dog near a zebra.", "A boat near a zebra.", "A zebra near a lion."]
    alone = run(texts, objects=file, num_negatives=13).kept
    found: dict[str, set[str]] = {row["positive"]: set() for row in alone.to_dicts()}
    for row in alone.to_dicts():
        found[row["positive"]].add(row["absent"])
    assert found[texts[0]] == {"ferry", "violin", "guitar"}
    assert found[texts[1]] == {"canine", "violin", "guitar"}
    together = run(texts, more={"image": ["one.jpg", "one.jpg", None]}, objects=file, num_negatives=13).kept
    assert set(together.filter(pl.col("positive") == texts[0])["absent"]) == {"violin", "guitar"}
    noted = run(texts[:1], more={"seen": [["violins", "cup"]]}, objects=file, annotations="seen", num_negatives=13).kept
    assert set(noted["absent"]) == {"ferry"} | ({"guitar"} & set(noted["absent"]))
    assert "violin" not in set(noted["absent"])


def test_the_true_sentence_differs_by_its_object() -> None:
    """Beside each negative stands the same sentence about what is absent, null where nothing is."""
    for row in run(["Two dogs sleep on a sofa."], num_negatives=26).kept.to_dicts():
        assert row["negative"] != row["hard_positive"]
        assert row["absent"] not in ("dog", "sofa", "couch", "bed")
        shape = [re.sub(rf"\b(?:an? )?(?:any )?({re.escape(one)}|{re.escape(plural(one))})\b", "X", text, count=1)
                 for text, one in ((row["negative"], row["denied"]), (row["hard_positive"], row["absent"]))]  # fmt: skip
        assert shape[0] == shape[1] or row["absent"] in ("scissors", "sheep")


def test_every_object_comes_before_a_second_sentence() -> None:
    """With as many slots as objects all of them are denied; with more, no sentence comes twice; fewer give the first."""
    text = "A dog, a cat and a goat stand near a sofa."
    assert len(set(run([text], num_negatives=4).kept["denied"])) == 4
    most = run([text], num_negatives=52).kept
    assert most["negative"].n_unique() == most.height == 52
    assert set(run([text], num_negatives=3).kept["negative"]) < set(most["negative"])
    assert run([text], seed=1).kept["negative"][0] != run([text], seed=2).kept["negative"][0]


def test_bad_options(tmp_path: Path) -> None:
    """A file that names nothing or is not there, and a column that is not there, are errors that say so."""
    empty = tmp_path / "none.txt"
    empty.write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match="names no object"):
        run(["A dog sleeps on a sofa."], objects=empty)
    with pytest.raises(NegforgeError):
        run(["A dog sleeps on a sofa."], objects=tmp_path / "absent.txt")
    with pytest.raises(InputError, match="seen"):
        run(["A dog sleeps on a sofa."], annotations="seen")


@settings(max_examples=25)
@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
def test_laws(texts: list[str]) -> None:
    """A row's sentences differ, name the object they deny, and do not hang on the batch."""
    made = run(texts, num_negatives=3)
    assert made.kept.group_by("source_id").agg(pl.col("negative").is_duplicated().any()).select(pl.col("negative").any()).item() is not True
    for row in made.kept.to_dicts():
        assert row["denied"] in row["negative"] or plural(row["denied"]) in row["negative"]
    assert made.kept.sort("id").equals(run(texts, num_negatives=3, batch_size=1).kept.sort("id"))


@pytest.mark.parametrize(
    "text", ["\u202e\u05d0\u05d1 dog", "A dog\u0000 on a sofa.", "A cafe\u0301 with a dog \U0001f600.", "dog " * (1 << 18)]
)
def test_bad_input(text: str) -> None:
    """Emoji, combining marks, right-to-left, control characters and a cell of a megabyte break nothing."""
    made = run([text])
    assert made.kept.height + made.dropped.height == 1


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts by reason on stderr."""
    file = tmp_path / "captions.jsonl"
    texts = ["A dog sleeps on a sofa.", "Is there a dog?"]
    file.write_text("".join(json.dumps({"anchor": one, "positive": one}) + "\n" for one in texts), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.negated-object", str(file), "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["denied"] in ("dog", "sofa")
    assert "question 1" in result.stderr


def test_real_captions(real_data: Path) -> None:
    """SugarCrepe: most captions name an object, and the sentence made for one stands in no caption."""
    rows = json.loads((real_data / "sugarcrepe" / "replace_obj.json").read_text(encoding="utf-8")).values()
    texts = list(dict.fromkeys(row["caption"] for row in rows))[:300]
    made = run(texts).kept
    assert made.height > 150
    assert not set(made["negative"]) & set(texts)
