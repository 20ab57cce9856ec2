"""The extract of WordNet: what it says of known words, and that it is what its script makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from negforge.lexicon import Part, build, lexicon


@pytest.mark.parametrize(
    ("word", "part", "bases"),
    [
        *(
            ("dogs", "n", ["dog"]),
            ("men", "n", ["men", "man"]),
            ("ran", "v", ["run"]),
            ("stopped", "v", ["stop"]),
            ("cities", "n", ["city"]),
        ),
        *(("bigger", "a", ["bigger", "big"]), ("quickly", "r", ["quickly"]), ("xyzzy", "n", []), ("making", "v", ["make"])),
    ],
)
def test_base_forms(word: str, part: Part, bases: list[str]) -> None:
    """From the package alone, without a download (goodmami/wn#278, #141)."""
    assert lexicon().bases(word, part) == bases


def test_opposites_are_of_a_sense() -> None:
    """The first sense of `hot` has an antonym, its second has none (GEM-benchmark/NL-Augmenter#222)."""
    senses = lexicon().senses("hot", "a")
    assert [[one.word for one in lexicon().opposites(sense)] for sense in senses[:3]] == [["cold"], [], ["cold"]]
    assert [sense.rank for sense in senses] == list(range(1, len(senses) + 1))


def test_above_beside_and_below() -> None:
    words = lexicon()
    dog = words.senses("dog", "n")[0]
    assert words.lexname(dog.synset) == "noun.animal"
    assert any("canine" in words.words(one) for one in words.above(dog.synset))
    animal = words.senses("animal", "n")[0].synset
    assert animal in words.ancestors(dog.synset)
    assert words.senses("cat", "n")[0].synset not in words.ancestors(dog.synset)
    assert animal not in words.ancestors(animal)
    assert words.is_phrase("hot", "dog")
    assert not words.is_phrase("red", "dog")
    siblings = words.siblings(words.senses("sparrow", "n")[0].synset)
    assert siblings
    assert words.senses("sparrow", "n")[0].synset not in siblings
    paris = words.senses("Paris", "n")[0]
    assert words.is_instance(paris.synset)


def test_figures_of_the_extract() -> None:
    """6,817 words of a part of speech have an antonym, as counted in WordNet's own files."""
    words = lexicon()
    with_opposite = {(words._key[row], words._part[row]) for row in words._opposite}
    assert len(words._rows) == 147_306
    assert len(with_opposite) == 6_817


def test_the_script_makes_it_of_the_database(tmp_path: Path) -> None:
    """A database of three synsets gives their senses, in any order of its lines."""
    source = tmp_path / "wordnet"
    source.mkdir()
    (source / "data.noun").write_text(
        "  notice\n00000010 05 n 02 hot_dog 0 frank 0 001 @ 00000020 n 0000 | a sausage\n00000020 13 n 01 food 0 000 | eaten\n"
    )
    (source / "data.adj").write_text(
        "00000030 00 a 01 hot(p) 0 001 ! 00000040 a 0101 | warm\n00000040 00 a 01 cold 0 001 ! 00000030 a 0101 | not\n"
    )
    for name in ("data.verb", "data.adv", "verb.exc", "adj.exc", "adv.exc"):
        (source / name).write_text("")
    (source / "noun.exc").write_text("men man\n")
    lines = ["hot_dog%1:05:00:: 00000010 1 3", "frank%1:05:00:: 00000010 2 0", "food%1:13:00:: 00000020 1 9", "hot%3:00:00:: 00000030 1 7"]
    (source / "index.sense").write_text("\n".join([*lines, "cold%3:00:00:: 00000040 1 5"]) + "\n")
    build.build(source, tmp_path)
    made = type(lexicon())(tmp_path)
    assert made.is_phrase("hot", "dog")
    assert [one.word for one in made.opposites(made.senses("hot", "a")[0])] == ["cold"]
    assert made.words(made.above(made.senses("frank", "n")[0].synset)[0]) == ["food"]
    assert made.senses("frank", "n")[0].rank == 2
