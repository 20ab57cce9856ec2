"""What counts as the same text, rule by rule, and the laws that hold for every text."""

import re
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from negforge.text import _UNSETTLED, LANGUAGES_WITH_NUMBER_WORDS, normalised

PUNCTUATION = ".,;:!?\u2026\"'()[]\u00ab\u00bb\u2013\u2014-\u2018\u2019\u201c\u201d\u2212\u2010\u2011"
SYMBOLS = "+#%$<>=*/^&|@_~\u20ac\u2264"
STRANGE = (
    "\u200b\u00ad\u00a0\u0301\u0331\ufe0f\u20e3\u207b\u207a\u00b2\u00b3\u2082\u00bd\u2460\u2776\u0130\u03a3\ufb01\u2163"
    "H\u1112\u1161\u0915\u093f\u5b57\U0001f600\n\t\u3000"
)
NUMBER_PIECES = (
    "zero one two seven twelve twenty ninety hundred thousand million trillion and first second third hundredth a 2 1.5 1,000 .5 007 5 1,5"
).split()

ANY_TEXT = st.text()
MARKED_TEXT = st.text(st.sampled_from("abZ59 " + PUNCTUATION + SYMBOLS + STRANGE))
NUMBER_TEXT = st.lists(st.sampled_from(NUMBER_PIECES) | st.sampled_from(PUNCTUATION + SYMBOLS + STRANGE) | st.just(" "), max_size=12).map(
    "".join
)
SPACED_NUMBER_TEXT = st.lists(st.sampled_from([*NUMBER_PIECES, ", ", "-", "$", "%"]), max_size=12).map(" ".join)
TEXTS = st.one_of(ANY_TEXT, MARKED_TEXT, NUMBER_TEXT, SPACED_NUMBER_TEXT)
LANGUAGES = st.sampled_from(["en", "nb", "code"])


def one(text: str, language: str = "en") -> str:
    """Normalise one text."""
    return str(normalised(pl.Series([text]), language=language)[0])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Hello World", "hello world"),
        ("\u00c9COLE", "\u00e9cole"),
        ("\uff26\uff35\uff2c\uff2c \uff11\uff12", "full 12"),
        ("\ufb01ne", "fine"),
        ("e\u0301cole", "\u00e9cole"),
        ("H\u0331", "\u1e96"),
        ("\u0130", "i\u0307"),
        ("\u1f48\u0394\u03a5\u03a3\u03a3\u0395\u038e\u03a3", "\u1f40\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2"),
        ("a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "abcdefg"),
        ("5 \u2018 5 \u2019 5", "5 ' 5 ' 5"),
        ("5 \u201c 5 \u201d 5", '5 " 5 " 5'),
    ],
)
def test_case_width_and_invisible_characters_do_not_count(text: str, same: str) -> None:
    """Case, compatibility forms, composition, zero-width characters and the shape of quotes are folded."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("10\u00b2", "10^2"),
        ("10\u00b2\u00b3", "10^23"),
        ("10\u207b\u00b2", "10^-2"),
        ("2\u00b25", "2^2 5"),
        ("2\u00b2\u2075", "2^25"),
        ("x\u00b2\u2081", "x^2_1"),
        ("1\u00bd", "1 1\u20442"),
        ("\u00bd", "1\u20442"),
        ("\u00bd5", "1\u20442 5"),
        ("\u00bd\u00bd\u00bd", "1\u20442 1\u20442 1\u20442"),
        ("2\u00b2\u00bd", "2^2 1\u20442"),
        ("1\u200b\u00bd", "1 1\u20442"),
        ("5\u2460", "5 1"),
        ("H\u2082O", "h2o"),
        ("10\u2082", "10_2"),
        ("log\u20828", "log2 8"),
        ("\u22125", "-5"),
        ("x\u208b5", "x-5"),
    ],
)
def test_raised_and_compound_numerals_do_not_run_into_digits(text: str, same: str) -> None:
    """An exponent, an index, a fraction and a minus sign stay what they are when compatibility forms become plain."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("yes, sir", "yes sir"),
        ("yes , sir", "yes sir"),
        ("yes,sir", "yes sir"),
        ("a; b: c! d? e. f", "a b c d e f"),
        ("so\u2026 then", "so then"),
        ("he (still) ran", "he still ran"),
        ("he [still] ran", "he still ran"),
        ("he \u00abstill\u00bb ran", "he still ran"),
        ("stop \u2013 go \u2014 stop\u2014go", "stop go stop go"),
        ("he said: \u201cyes\u201d, then left", "he said yes then left"),
        ("a.b.c.d.e", "a b c d e"),
        ("a,b-c.d'e", "a b c d e"),
        ("caf\u00e9, \u00fcber", "caf\u00e9 \u00fcber"),
        ("\u0926\u0940, \u092e\u0947\u0902", "\u0926\u0940 \u092e\u0947\u0902"),
        ("we're", "we re"),
        ("we\u2019re", "we re"),
        ("well-known", "well known"),
        ("well\u2011known", "well known"),
        ("state-of-the-art", "state of the art"),
        ("a-b-c-d", "a b c d"),
    ],
)  # fmt: skip
def test_punctuation_between_letters_is_one_space(text: str, same: str) -> None:
    """Sentence punctuation, apostrophes and tight hyphens between letters count as one space."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Yes.", "yes"),
        ("Yes ?!", "yes"),
        ("Yes\u2026", "yes"),
        ("\u201cYes.\u201d", "yes"),
        ("... and so on", "and so on"),
        ("(yes)", "yes"),
        ("\u2014 yes \u2014", "yes"),
        ("caf\u00e9.", "caf\u00e9"),
        ("I have 5.", "i have 5"),
        ("I have 5 .,;:?", "i have 5"),
        ("I have 5\u2026", "i have 5"),
        ("3.5.", "3.5"),
    ],
)
def test_punctuation_at_the_ends_goes(text: str, same: str) -> None:
    """Punctuation at an end that touches a letter goes, and so do closing marks after a last digit."""
    assert one(text) == same


@pytest.mark.parametrize(
    "text",
    [
        "3.5", "1,000", "5!", "(5)", "5)", '"5"', "'90s", "5:30", "1. a", "a, 5", "5, a", "5.a", "5!.", "5-6", "5-a",
        "a - b", "a -b", "a- b", "a + b", "a = b", "a / b", "x < y", "x > y", "x * y", "x ^ y", "x & y", "x | y",
        "-5", "+5", "c++", "c#", "5%", "$5", "#a", "@a", "a_b", "~a", "a/b", "c++.", "5\u2032", "\u20ac5", "a \u2264 b",
        "\U0001f600!", "\U0001f600, a", "5\ufe0f\u20e3, a", "a,\u0301b",
    ],
)  # fmt: skip
def test_what_can_change_the_truth_stays(text: str) -> None:
    """Signs, operators, comparisons, symbols and punctuation that touches no letter, or a digit, are kept."""
    assert one(text) == text


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("-5", "5"), ("\u22125", "5"), ("C++", "C"), ("C#", "C"), ("a + b", "a - b"), ("a - b", "a b"),
        ("x < y", "x > y"), ("5%", "5"), ("$5", "5"), ("3.5", "35"), ("1,000", "1 000"), ("10\u00b2", "102"),
        ("1\u00bd", "11\u20442"), ("we're", "were"), ("5!", "5"), ("?", "!"), ("?", ""), ("!", ""),
        ("1.5 million", "15 million"), ("one two", "twelve"), ("two and three", "two three"), ("21", "twenty, 1"),
    ],
)  # fmt: skip
def test_different_texts_stay_different(left: str, right: str) -> None:
    """Texts that differ in meaning are never made the same text."""
    assert one(left) != one(right)


@pytest.mark.parametrize("text", ["?", "!", "...", "?!", "()", "- -", "\u2014", '"', "? !", "'", "\u00ab \u00bb"])
def test_nothing_but_punctuation_stays(text: str) -> None:
    """A text of nothing but punctuation is kept, with its white space collapsed."""
    assert one(f" {text.replace(' ', '   ')}\n") == text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("", ""),
        (" \t\n\u00a0\u3000 ", ""),
        ("  a  b\tc\nd\r\ne\u00a0f\u2003g\u2028h\u3000i\u0085j\x0bk ", "a b c d e f g h i j k"),
        ("a \u200b b", "a b"),
    ],
)
def test_white_space_is_one_space(text: str, same: str) -> None:
    """Every run of Unicode white space is one space, and none is left at the ends."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("zero", "0"),
        ("Nineteen men", "19 men"),
        ("forty", "40"),
        ("twenty-one", "21"),
        ("twenty one", "21"),
        ("twenty\u2011one", "21"),
        ("one hundred and five", "105"),
        ("one hundred five", "105"),
        ("twelve hundred", "1200"),
        ("two million", "2000000"),
        ("five hundred thousand", "500000"),
        ("one hundred and five thousand", "105000"),
        ("two thousand and six", "2006"),
        ("one thousand and one hundred", "1100"),
        ("two thousand million", "2000000000"),
        ("one trillion two billion three million four thousand five hundred and sixty-seven", "1002003004567"),
        ("two million, five hundred thousand", "2500000"),
        ("zero million", "0"),
        ("I saw seven.", "i saw 7"),
    ],
)
def test_number_words_are_digits(text: str, same: str) -> None:
    """A number in words is the same text as in digits."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("one two three", "1 2 3"),
        ("twenty twenty", "20 20"),
        ("nineteen eighty-four", "19 84"),
        ("twenty zero", "20 0"),
        ("twenty eleven", "20 11"),
        ("two and three", "2 and 3"),
        ("twenty and five", "20 and 5"),
        ("one hundred and", "100 and"),
        ("one hundred zero", "100 0"),
        ("one hundred two hundred", "100 200"),
        ("one hundred and two hundred", "100 and 200"),
        ("one hundred and two thousand", "102000"),
        ("one hundred thousand twenty thousand", "100000 20000"),
        ("one thousand two million", "1000 2000000"),
        ("two thousand one hundred five hundred", "2100 500"),
        ("five, 6 and seven", "5, 6 and 7"),
    ],
)
def test_a_sequence_that_is_not_one_number_is_split(text: str, same: str) -> None:
    """Number words that do not make one number are read greedily, and `and` joins only what fills the zeros before."""
    assert one(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("forty, five", "40 5"),
        ("forty. Five", "40 5"),
        ("forty,five; six: seven", "40 5 6 7"),
        ("twenty, thirty, forty, five, six", "20 30 40 5 6"),
        ("one hundred, two", "100 2"),
        ("one hundred (two)", "100 2"),
        ("one hundred, and two", "100 and 2"),
        ("one hundred and, two", "100 and 2"),
        ("two thousand, five", "2000 5"),
        ("two thousand; five hundred", "2000 500"),
        ("twenty, first", "20 first"),
        ("\u00e9, forty\u2014five, six", "\u00e9 40 5 6"),
        ("forty-five, six", "45 6"),
        ("forty\u2013five", "45"),
        ("two million, five hundred thousand, one hundred and two", "2500102"),
        ("one billion, two million, three thousand, four hundred", "1002003400"),
        ("one hundred, two hundred", "100 200"),
    ],
)
def test_a_mark_ends_a_number(text: str, same: str) -> None:
    """Blanks, hyphens and `and` join number words; a mark does not, but for the comma of thousands."""
    assert one(text) == same
    assert one(same) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2 million", "2000000"),
        ("1.5 million", "1500000"),
        ("1.1 billion", "1100000000"),
        ("0.07 thousand", "70"),
        (".5 million", "500000"),
        ("1.23456789 million", "1234567.89"),
        ("1.50 million", "1500000"),
        ("1,000 million", "1000000000"),
        ("007 hundred", "700"),
        ("2 hundred and five thousand", "205000"),
        ("2 million 500 thousand", "2500000"),
        ("1.5 hundred and five", "150 and 5"),
        ("$1.5 million", "$1500000"),
        ("-2 million%", "-2000000%"),
        ("9007199254740993.1 thousand", "9007199254740993100"),
    ],
)
def test_digits_with_scale_words_are_exact(text: str, same: str) -> None:
    """Digits before a scale word are multiplied exactly, decimals included."""
    assert one(text) == same


@pytest.mark.parametrize(
    "text",
    [
        "first", "twenty first", "one hundred and third", "one hundred third", "two hundredth", "a million", "hundred",
        "someone", "tenth", "x/two", "two/x", "two@x", "1,5 million", "5million", "3-5 million", "two_three",
        "\u00e9one", "3.five million", "#one",
    ],
)  # fmt: skip
def test_what_is_no_number_is_left_alone(text: str) -> None:
    """Ordinals, scale words without a number, and number words that are part of a longer word stay as they are."""
    assert one(text) == text


@pytest.mark.parametrize(("text", "same"), [("one third", "1 third"), ("one second", "1 second")])
def test_a_number_is_not_part_of_an_ordinal_it_cannot_begin(text: str, same: str) -> None:
    """An ordinal after a number leaves that number alone only where the two make one ordinal."""
    assert one(text) == same


def test_number_words_of_other_languages_stay() -> None:
    """Only the declared language's number words are read, and only those of the languages listed."""
    assert LANGUAGES_WITH_NUMBER_WORDS == ("en",)
    assert one("Seven, to.", language="nb") == "seven to"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("  if (a  ==\n\tB):  pass ", "if (a == B): pass"),
        ("x\u00b2 \uff26 \u201ctwo\u201d\u200b", "x\u00b2 \uff26 \u201ctwo\u201d\u200b"),
        ("", ""),
    ],
)
def test_code_only_loses_white_space(text: str, same: str) -> None:
    """In code only white space is collapsed: case, marks and characters stay."""
    assert one(text, language="code") == same


def spelt(number: int) -> str:
    """Spell a number out, with `and` after each hundred that is followed by something."""
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    ).split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if number < 20:
        return small[number]
    if number < 100:
        return tens[number // 10 - 2] + (f"-{small[number % 10]}" if number % 10 else "")
    for zeros, name in ((12, "trillion"), (9, "billion"), (6, "million"), (3, "thousand"), (2, "hundred")):
        size = 10**zeros
        if number >= size:
            rest = (" and " if size == 100 else " ") + spelt(number % size) if number % size else ""
            return f"{spelt(number // size)} {name}{rest}"
    raise AssertionError(number)


@given(st.integers(0, 10**15 - 1) | st.integers(0, 10**4), st.booleans())
def test_every_spelt_number_is_its_digits(number: int, with_and: bool) -> None:
    """Any number below a thousand trillion, spelt with or without `and`, becomes its digits."""
    words = spelt(number) if with_and else spelt(number).replace(" and ", " ")
    assert one(f"the {words.upper()} men") == f"the {number} men"


@given(TEXTS, LANGUAGES)
@example("two.five million", "en")
@example("two, 5 million million", "en")
@example("1.2345 thousand thousand", "en")
@example("twenty first, hundred", "en")
@example("two, hundred, five, thousand", "en")
@example("one, Xtwo. three'x/four, five/6", "en")
@example("\u2776\u2080", "en")
@example("a.\u0301b", "en")
@example("x.-y", "en")
def test_normalising_twice_is_normalising_once(text: str, language: str) -> None:
    """A normalised text is its own normal form."""
    assert one(one(text, language), language) == one(text, language)


def test_every_character_is_stable() -> None:
    """Normalising twice is normalising once for every assigned character, alone and beside letters and digits."""
    everything = map(chr, (*range(0xD800), *range(0xE000, 0x110000)))
    characters = pl.Series([each for each in everything if unicodedata.category(each) not in ("Cn", "Co")])
    for around in ("{0}", "a{0}b 1{0}2 {0}two{0} million H\u0331{0}"):
        once = normalised(pl.Series([around.format(character) for character in characters]))
        assert (normalised(once) == once).all()


def test_only_characters_that_nfkc_leaves_alone_skip_it() -> None:
    """No character that NFKC changes, alone, in lower case or after another, is among those that skip it."""
    characters = pl.Series([chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000])
    for character in characters.filter(~characters.str.contains(_UNSETTLED)):
        for form in (character, character.lower()):
            assert unicodedata.is_normalized("NFKC", form)
            assert unicodedata.combining(form[0]) == 0
            # A vowel or a final that composes with the Hangul syllable before it is a starter as well.
            assert not "\u1160" <= form[0] <= "\u11ff"


@given(st.text(st.sampled_from("abZ59 +%" + ".,;:!?\"'()[]-"), max_size=20))
def test_punctuation_rules_in_ascii(text: str) -> None:
    """The punctuation rules agree with their plain statement as look-arounds, applied one after another."""
    plain = " ".join(text.lower().split())
    plain = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", plain)
    plain = re.sub(r"""(?<=[a-z]) *[.,;:!?"'()\[\]][.,;:!?"'()\[\] ]*(?=[a-z])""", " ", plain)
    plain = re.sub(r"""^[.,;:!?"'()\[\] ]+(?=[a-z])|(?<=[a-z])[.,;:!?"'()\[\] ]+$""", "", plain)
    plain = re.sub(r"(?<=[0-9])[.,;:? ]+$", "", plain)
    assert one(text, language="nb") == plain


@given(st.lists(st.none() | TEXTS, max_size=8), st.integers(0, 8), LANGUAGES)
def test_how_a_column_is_split_does_not_matter(texts: list[str | None], cut: int, language: str) -> None:
    """A column gives the same rows whole, in two batches, in two chunks, and row by row."""
    column = pl.Series("text", texts, dtype=pl.String)
    whole = normalised(column, language=language)
    batches = [normalised(batch, language=language) for batch in (column[:cut], column[cut:])]
    assert_series_equal(pl.concat(batches), whole)
    chunked = pl.concat([column[:cut], column[cut:]], rechunk=False)
    assert_series_equal(normalised(chunked, language=language), whole)
    assert whole.to_list() == [None if text is None else one(text, language) for text in texts]


@given(st.lists(st.none() | TEXTS, max_size=8), LANGUAGES)
def test_the_column_keeps_its_name_length_and_nulls(texts: list[str | None], language: str) -> None:
    """The result has the name, the length and the nulls of the column, which itself is not changed."""
    column = pl.Series("claim", texts, dtype=pl.String)
    result = normalised(column, language=language)
    assert (result.name, len(result)) == ("claim", len(texts))
    assert result.dtype == pl.String
    assert result.is_null().to_list() == [text is None for text in texts]
    assert column.to_list() == texts


def test_a_column_of_nothing_but_null() -> None:
    """A column without a type, as one of only nulls has, becomes a column of null strings."""
    assert_series_equal(normalised(pl.Series("a", [None, None])), pl.Series("a", [None, None], dtype=pl.String))


def test_a_column_of_numbers_is_refused() -> None:
    """A column that is not of strings is an error and is not turned into strings."""
    for language in ("en", "code"):
        with pytest.raises(pl.exceptions.PolarsError):
            normalised(pl.Series([1, 2]), language=language)


@pytest.mark.parametrize(
    ("piece", "same"),
    [
        ("word, ", "word "),
        ("a.", "a "),
        ("\u00e9\u0301. ", "\u00e9\u0301 "),
        ("seven ", "7 "),
        ("\U0001f600 ", "\U0001f600 "),
        ("one hundred and ", "100 and "),
    ],
)
def test_a_very_long_text(piece: str, same: str) -> None:
    """A text of a hundred thousand pieces follows the same rules."""
    assert one(piece * 100_000) == (same * 100_000).strip()


def test_a_very_long_number() -> None:
    """A number of more digits than Python turns into an integer is written out all the same."""
    assert one("two" + " trillion" * 1000) == "2" + "0" * 12_000
