"""Where a text names a person, a place or an organisation: by character offsets, with a type where the name or its tags show one.

A mention is a run of capitalised tokens, with `of the`, `de`, `van` and the like inside; the first word of a sentence belongs to it
only where it is tagged as a name, or is one that is known. A type comes from a parser's entities where the tags have them, else from
titles, first names, closed lists of countries and states, words such as `University`, and WordNet's instances. What fits two types has
none: a name of unknown type is better left alone than taken for another. Days and months are no entities. English only.
Source: QData/TextAttack#752 (one mention of two was changed), makcedward/nlpaug#143 (names broken where tokens were joined anew).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

from negforge.tagging import Token, sentences


def listed(words: str) -> frozenset[str]:
    """The words of a list; an underscore is the space in a name."""
    return frozenset(one.replace("_", " ") for one in words.split())


_FEMALE = listed(
    """Abigail Ada Adele Agatha Agnes Alexandra Alice Alicia Alison Amanda Amelia Amy Andrea Angela Angelina Anita Ann Anna Anne Annie
    Audrey Ava Barbara Beatrice Bella Bertha Beth Betty Beyonce Billie Brenda Brianna Bridget Camila Carla Carly Carol Carolina
    Caroline Carrie Catherine Cecilia Celine Charlotte Chelsea Chloe Christina Christine Claire Clara Claudia Connie Cynthia Daisy
    Danielle Debbie Deborah Delia Denise Diana Diane Dolly Dora Dorothy Edith Elaine Eleanor Elena Elisabeth Eliza Elizabeth Ella
    Ellen Emily Emma Erica Erin Esther Eva Eve Evelyn Fiona Florence Frances Freya Gabriella Georgina Gina Gloria Grace Greta Gwen
    Hannah Harriet Hazel Heather Helen Hillary Holly Ida Ingrid Irene Iris Isabel Isabella Jackie Jane Janet Janice Jasmine Jean Jen
    Jenna Jennifer Jenny Jessica Jill Joan Joanna Jodie Josephine Joyce Judith Judy Julia Julie Juliet Karen Kate Katherine Kathleen
    Kathy Katie Katy Kelly Kendra Kimberly Kristen Lara Laura Lauren Lea Leah Lena Leslie Lila Lillian Lily Linda Lisa Liza Lizzie
    Lois Louisa Louise Lucia Lucy Lydia Mabel Madeleine Madonna Maggie Mandy Margaret Maria Marie Marilyn Marissa Martha Mary Maureen
    Maya Megan Melanie Melinda Melissa Meredith Mia Michelle Mildred Mila Millie Miranda Molly Monica Nadia Nancy Naomi Natalie
    Natasha Nicole Nina Nora Olga Olivia Oprah Pamela Patricia Paula Pauline Peggy Penelope Penny Phoebe Priscilla Rachel Rebecca
    Renee Rihanna Rita Roberta Rosa Rosalind Rosemary Ruth Sabrina Sally Samantha Sandra Sarah Scarlett Selena Serena Shannon Sharon
    Sheila Shelley Shirley Sonia Sophia Sophie Stacey Stella Stephanie Sue Susan Susie Suzanne Sylvia Tamara Tanya Tara Teresa Theresa
    Tiffany Tina Trisha Ursula Valerie Vanessa Vera Veronica Victoria Virginia Wendy Whitney Winifred Yoko Yolanda Yvonne Zoe"""
)
_MALE = listed(
    """Aaron Abel Abraham Adam Adolf Adrian Al Alan Albert Alec Alexander Alfred Allan Allen Alvin Andrew Andy Angus Anthony Antonin
    Antonio Archie Arnold Arthur Barack Barry Bart Ben Benedict Benjamin Bernard Bert Bill Billy Bob Bobby Brad Bradley Brandon
    Brendan Brian Bruce Bruno Bryan Caleb Calvin Carl Carlos Cedric Charles Charlie Chris Christian Christopher Clarence Claude Clint
    Clive Colin Connor Craig Dan Daniel Danny Darren Daryl Dave David Dean Dennis Derek Dick Diego Donald Doug Douglas Duncan Dustin
    Dwayne Dwight Earl Ed Eddie Edgar Edmund Eduardo Edward Edwin Eli Elias Elliot Elmer Elon Elton Elvis Emil Emmanuel Eric Ernest
    Ethan Eugene Felipe Felix Ferdinand Fernando Finn Frank Franklin Franz Fred Freddie Frederick Friedrich Fritz Gabriel Galileo
    Gareth Gary Gavin Geoffrey George Gerald Gilbert Giovanni Giuseppe Glenn Gordon Graham Greg Gregory Gus Guy Hank Hans Harold Harry
    Harvey Hector Heinrich Henri Henry Herbert Herman Homer Howard Hubert Hugh Hugo Humphrey Ian Igor Iggy Isaac Ivan Jack Jacob
    Jacques Jake James Jamie Jared Jason Javier Jay Jeff Jeffrey Jeremy Jerome Jerry Jesse Jesus Jim Jimmy Joe Joel Johann Johannes
    John Johnny Jon Jonah Jonas Jonathan Jose Joseph Josh Joshua Juan Julian Julius Justin Karl Keith Ken Kenneth Kenny Kevin Kurt
    Kyle Larry Lars Laurence Lawrence Leo Leon Leonard Leonardo Leonid Leroy Lewis Liam Lionel Louis Lucas Ludwig Luigi Luis Luke
    Luther Malcolm Manuel Marcel Marcus Mario Mark Marlon Marshall Martin Marvin Mateo Matt Matthew Maurice Max Maxwell Michael
    Michelangelo Mick Miguel Mikhail Miles Mike Milo Mitch Mohammed Morris Moses Muhammad Napoleon Nathan Nathaniel Neil Nelson
    Nicholas Nick Nicolas Niels Nikola Noah Noel Norman Oliver Orson Oscar Oswald Otto Owen Pablo Pat Patrick Paul Pedro Percy Pete
    Peter Phil Philip Pierre Quentin Ralph Ramon Randall Randy Raphael Ray Raymond Reginald Rene Rex Ricardo Richard Rick Ricky Ringo
    Rob Robert Roberto Robin Rocky Rod Roger Roland Roman Ronald Ronnie Ross Roy Rudolf Rudolph Rudyard Rufus Rupert Russell Ryan
    Salvador Sam Samuel Scott Sean Sebastian Sergei Seth Shane Sidney Sigmund Simon Spencer Stan Stanley Stephen Steve Steven Stuart
    Ted Terence Terrence Terry Theodore Thomas Tim Timothy Toby Todd Tom Tommy Tony Travis Trevor Truman Tyler Tyrone Vernon Victor
    Vincent Vladimir Wallace Walt Walter Warren Wayne Wesley Wilfred Wilhelm Will William Willie Winston Wolfgang Woody Xavier Yuri
    Zachary"""
)
# Of men and of women: which of them the name alone does not say.
_UNISEX = listed(
    "Alex Ashley Casey Charlie Dakota Jackie Jamie Jean Jesse Kelly Kim Leslie Morgan Pat Robin Sam Shannon Taylor Terry Marion Drew"
)
# Alone these may be places, too.
_ALSO_PLACES = listed(
    """Austin Brooklyn Carolina Charlotte Chelsea Dakota Dallas Florence Georgia Israel Jackson Jordan Lincoln Madison Paris Sydney
    Victoria Virginia Washington Cameron Lee"""
)
_TITLES = {
    **dict.fromkeys(("Mr", "Sir", "King", "Prince", "Lord", "Emperor", "Tsar", "Pope", "Uncle", "Father", "Duke", "Brother"), "m"),
    **dict.fromkeys(("Mrs", "Ms", "Miss", "Lady", "Queen", "Princess", "Empress", "Aunt", "Madame", "Dame", "Mother", "Sister"), "f"),
    **dict.fromkeys(("Dr", "Prof", "Professor", "President", "Senator", "General", "Captain", "Colonel", "Justice", "Judge"), ""),
    **dict.fromkeys(("Doctor", "Major", "Admiral", "Reverend", "Chancellor", "Governor"), ""),
}
_COUNTRIES = listed(
    """Afghanistan Albania Algeria Andorra Angola Argentina Armenia Australia Austria Azerbaijan Bahrain Bangladesh Barbados Belarus
    Belgium Belize Benin Bhutan Bolivia Botswana Brazil Brunei Bulgaria Burundi Cambodia Cameroon Canada Chile China Colombia Croatia
    Cuba Cyprus Denmark Ecuador Egypt Eritrea Estonia Ethiopia Fiji Finland France Gabon Germany Ghana Greece Grenada Guatemala Guinea
    Guyana Haiti Honduras Hungary Iceland India Indonesia Iran Iraq Ireland Israel Italy Jamaica Japan Kazakhstan Kenya Kuwait
    Kyrgyzstan Laos Latvia Lebanon Lesotho Liberia Libya Liechtenstein Lithuania Madagascar Malawi Malaysia Mali Malta Mauritania
    Mauritius Mexico Moldova Mongolia Montenegro Morocco Mozambique Myanmar Namibia Nepal Netherlands New_Zealand Nicaragua Niger
    Nigeria North_Korea Norway Oman Pakistan Paraguay Peru Philippines Poland Portugal Qatar Romania Russia Rwanda Samoa Saudi_Arabia
    Senegal Serbia Sierra_Leone Slovakia Slovenia Somalia South_Africa South_Korea Spain Sri_Lanka Sudan Suriname Sweden Switzerland
    Syria Taiwan Tajikistan Tanzania Thailand Togo Tunisia Turkey Turkmenistan Uganda Ukraine United_Arab_Emirates United_Kingdom
    United_States United_States_of_America Uruguay Uzbekistan Vanuatu Venezuela Vietnam Yemen Zambia Zimbabwe"""
)
_STATES = listed(
    """Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Hawaii Idaho Illinois Indiana Iowa Kansas
    Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada New_Hampshire
    New_Jersey New_Mexico North_Carolina North_Dakota Ohio Oklahoma Oregon Pennsylvania Rhode_Island South_Carolina South_Dakota
    Tennessee Texas Utah Vermont West_Virginia Wisconsin Wyoming"""
)
# Cities that all know, for which WordNet has a man or a god of the same name as well.
_CITIES = listed(
    """Amsterdam Athens Baghdad Bangkok Barcelona Beijing Berlin Boston Brussels Budapest Cairo Chicago Copenhagen Damascus Delhi Detroit
    Dresden Dublin Edinburgh Frankfurt Geneva Glasgow Hamburg Hanoi Havana Helsinki Hiroshima Hong_Kong Houston Istanbul Jakarta
    Jerusalem Johannesburg Karachi Kiev Lagos Leipzig Lima Lisbon Liverpool London Los_Angeles Madrid Manchester Manila Marseille
    Melbourne Memphis Miami Milan Montreal Moscow Mumbai Munich Nairobi Naples Nashville Oslo Ottawa Paris Philadelphia Prague Rome
    Rotterdam San_Francisco Santiago Seattle Seoul Shanghai Stockholm Tehran Tokyo Toronto Turin Vancouver Venice Vienna Warsaw Zurich"""
)
_CONTINENTS = listed("Africa Asia Europe North_America South_America Antarctica")
# In any place of a name: what is called so is no person and no place.
_ORGANISATIONS = listed(
    """University College Corporation Corp Inc Company Ltd LLC Bank Institute Museum Association Club Council Committee Agency Department
    Ministry Orchestra Academy Hospital Foundation Society F.C. FC Airlines Airways Motors Records Studios Pictures Laboratories
    Institution Parliament Senate Congress Commission Federation Bureau"""
)
# A name that ends or begins so is of none of the three types.
_OTHERS = listed(
    """War Wars Battle Treaty Act Award Awards Prize Cup League Championship Championships Olympics Games Festival Day Year Era Age
    Dynasty Revolution Bill Amendment Law Code Theory Syndrome Disease Effect Show Song Album Movie Film Book Bible Trophy Tour Series
    Bowl Conference Division Station Line Bridge Tower Building Street Road Avenue Highway Park House Palace Stadium Theatre Theater
    Hotel Falls Beach State Tech City Town Secret Center Centre Hall Airport Cathedral Church Party Army Navy Force Forces School
    Union States Republic Empire Kingdom"""
)
_WATERS = {"River": "river", "Lake": "lake", "Mount": "mountain", "Mountain": "mountain", "Island": "island", "County": "county"}
_JOINS = listed("of the de la van von der den del di da du le al bin ibn y &")
_ENDS = listed("of the de la van von der den del di da du le al bin ibn y & and")
_NO_NAMES = listed(
    """I The A An This That These Those He She It We They You His Her Its Our Their My Your In On At By For From With To Of And But Or
    Nor So If When While After Before Because Although Though Since As Is Are Was Were Do Does Did Has Have Had Can Could Will Would
    May Might Must Should Not No Yes All Every Each Some Many Most Few Both One Two Three There Here What Which Who Whom Whose How Why
    Where Also However Then Thus Therefore January February March April May June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday Christmas Easter Halloween Thanksgiving God Earth Internet AM PM BC AD
    BCE CE OK TV"""
)
# Names of one and the same thing.
_SAME = [
    listed("us usa u.s. u.s.a. united_states united_states_of_america america"),
    listed("uk u.k. united_kingdom britain great_britain"),
    listed("holland netherlands"),
    listed("new_york new_york_city nyc"),
    listed("ussr soviet_union russia"),
    listed("burma myanmar"),
    listed("persia iran"),
    listed("siam thailand"),
    listed("ceylon sri_lanka"),
    listed("constantinople istanbul"),
    listed("bombay mumbai"),
    listed("peking beijing"),
    listed("saigon ho_chi_minh_city"),
]
_CLASS_WORDS = {
    "country": ("country", "European country", "African country", "Asian country"),
    "city": ("city", "national capital", "state capital", "provincial capital", "town", "port", "metropolis", "capital"),
    "state": ("American state",),
    "river": ("river",),
    "lake": ("lake",),
    "mountain": ("mountain peak", "mountain"),
    "island": ("island",),
    "continent": ("continent",),
}
_PARSED = {"PERSON": "person", "GPE": "place", "LOC": "place", "ORG": "organisation"}
_ARTICLE = re.compile(r"(?i)^the\s+")
_PRONOUN = re.compile(r"(?i)\b(he|him|his|himself|she|her|hers|herself)\b")
_INITIAL = re.compile(r"[A-Z]")
_GLUE = ("-", "/", "_", "@", "#", "$", "\u2013")
_TITLED = re.compile(r"['\u2019](?:s [A-Z]|(?!s\b)\w)")  # `Dawson's Creek` is no one's creek, and `O'Neill` is one name
_DOTTED = frozenset([*_TITLES, "St", "Jr", "Sr", "Ft", "Mt"])


class Mention(NamedTuple):
    """Characters start to end of a text, and what they name. kind: `person`, `place`, `organisation` or nothing; place: its class."""

    start: int
    end: int
    name: str
    kind: str = ""
    place: str = ""


def mentions(text: str, tokens: Sequence[Token]) -> list[Mention]:
    """The entities that a text names, in its order; a run of capitalised words each. tokens: as `tagging` makes them."""
    openings = _openings(text, tokens)
    runs: list[list[int]] = []
    place, count = 0, len(tokens)
    while place < count:
        if not _opens(text, tokens, place, openings):
            place += 1
            continue
        last = _run_end(text, tokens, place, openings)
        runs.append([place, last])
        place = last + 1
    found = []
    for first, last in runs:
        start, end = tokens[first].start, tokens[last].end
        if text[end : end + 1] == "." and text[start:end].rsplit(maxsplit=1)[-1] in _DOTTED:
            end += 1
        name = text[start:end]
        following = text[tokens[last + 1].start : tokens[last + 1].end] if last + 1 < count else ""
        unsure = text[end : end + 1] in _GLUE or text[start - 1 : start] in _GLUE or _TITLED.match(text, end) is not None
        kind = "" if unsure else _parsed_kind(tokens[first : last + 1]) or kind_of(name)
        if following[:1].isdigit() and kind != "person":  # `Apollo 13`, but `gave Ann 3 apples`
            kind = ""
        found.append(Mention(start, end, name, kind, place_class(name) if kind == "place" else ""))
    return found


def _openings(text: str, tokens: Sequence[Token]) -> frozenset[int]:
    """The places of tokens that open a sentence, or what is quoted: their capital says nothing."""
    starts = {start for start, _ in sentences(text)}
    opened, found = True, set()
    for place, token in enumerate(tokens):
        if token.start in starts:
            opened = True
        if text[token.start].isalnum():
            if opened:
                found.add(place)
            opened = False
        elif text[token.start] in '"\u201c\u2018(:':
            opened = True
    return frozenset(found)


def _opens(text: str, tokens: Sequence[Token], place: int, openings: frozenset[int]) -> bool:
    token = tokens[place]
    word = text[token.start : token.end]
    if not word[0].isupper() or word in _NO_NAMES:
        return False
    if place not in openings:
        return True
    if place + 1 < len(tokens):
        after = tokens[place + 1]
        following = text[after.start : after.end]
        if word in _TITLES or word in _WATERS or (following[0].isupper() and following not in _NO_NAMES and token.tag.startswith("NNP")):
            return True
        if len(word) == 1 and following == ".":
            return True
    return token.tag.startswith("NNP") and bool(kind_of(word) or _said_elsewhere(text, word, token.start))


def _said_elsewhere(text: str, word: str, start: int) -> bool:
    """Whether the word stands with its capital in the midst of a sentence too."""
    return any(match.start() != start for match in re.finditer(rf"(?<=[a-z,;] ){re.escape(word)}\b", text))


def _run_end(text: str, tokens: Sequence[Token], first: int, openings: frozenset[int]) -> int:
    """The place of the last token of the run that begins at `first`."""
    last, place = first, first + 1
    while place < len(tokens):
        token = tokens[place]
        word = text[token.start : token.end]
        gap = text[tokens[place - 1].end : token.start]
        if "\n" in gap or place in openings:
            break
        if word == "." and not gap:  # of an initial or a short title: what comes next belongs to it
            before = text[tokens[place - 1].start : tokens[place - 1].end]
            if not (before in _DOTTED or _INITIAL.fullmatch(before)):
                break
        elif word[0].isupper() and word not in _NO_NAMES and gap in (" ", "", "\u00a0"):
            last = place
        elif word not in _JOINS or gap != " ":
            break
        place += 1
    return last


def _parsed_kind(tokens: Sequence[Token]) -> str:
    """The type that a parser gave to all tokens of a name, or nothing."""
    kinds = {token.entity for token in tokens}
    return _PARSED.get(kinds.pop(), "") if len(kinds) == 1 else ""


@functools.lru_cache(maxsize=1 << 16)
def kind_of(name: str) -> str:
    """`person`, `place` or `organisation`, as far as the name alone shows it; else nothing."""
    bare = _ARTICLE.sub("", name).strip()
    words = re.findall(r"[^\W_]+(?:[-.'\u2019][^\W_]+)*", bare)
    if not words:
        return ""
    if not _ORGANISATIONS.isdisjoint(words):
        return "organisation"
    if bare in _COUNTRIES or bare in _STATES or bare in _CONTINENTS or bare in _CITIES:
        return "place"
    if "&" in bare or len(set(words)) < len(words) or any(re.search("-[a-z]", word) for word in words):
        return ""
    if words[0] in _TITLES and len(words) > 1:
        return "person" if not _ENDS & set(words) and words[-1] not in _TITLES else ""
    if words[0] in _OTHERS or words[-1] in _OTHERS or any(word.isdigit() for word in words):
        return ""
    if len(words) > 1 and (words[0] in _WATERS or words[-1] in _WATERS):
        return "place"
    known = _known_kind(bare)
    if len(words) > 1:
        if words[-1] in _COUNTRIES or words[-1] in _STATES or words[0] in _COUNTRIES or words[0] in _STATES:
            return known
        given = words[0] in _FEMALE or words[0] in _MALE or (len(words) == 3 and len(words[1]) == 1 and words[1] != "I")
        shaped = len(words) <= 4 and all(word[0].isupper() or word in ("van", "von", "de", "der", "la", "den", "bin") for word in words)
        plain = words[-1][0].isupper() and not _plural_or_common(words[-1])
        return known or ("person" if given and shaped and plain else "")
    if words[0] in _ALSO_PLACES:
        return ""
    if words[0] in _FEMALE or words[0] in _MALE:
        return "person"
    return known


def _plural_or_common(word: str) -> bool:
    """Whether the last word of a name is one of a kind of thing, as in `Jonas Brothers` and `Ben Franklin Stores`."""
    return word in ("Brothers", "Sisters", "Family", "Band", "Experience", "Stores", "Foods", "Sons", "Store", "Restaurant", "Pie", "Trio")


def _known_kind(name: str) -> str:
    """The type of all senses of a name in WordNet that are one thing; nothing where they differ, or a word is common as well."""
    from negforge.lexicon import lexicon

    words = lexicon()
    senses = words.senses(name, "n")
    if not senses:
        return ""
    kinds = set()
    for sense in senses:
        if sense.word[:1].islower() or not words.is_instance(sense.synset):
            if " " not in name and not (sense.word[:1].isupper() and words.is_instance(senses[0].synset)):
                return ""
            continue
        lexname = words.lexname(sense.synset)
        kinds.add({"noun.person": "person", "noun.location": "place"}.get(lexname) or ("place" if _class_of(sense.synset) else lexname))
    # `Paris` is a prince and `London` an author too: the commonest sense decides only where it is a place that all know.
    if kinds == {"person", "place"}:
        first = words.lexname(senses[0].synset)
        return "place" if first == "noun.location" and _class_of(senses[0].synset) in ("country", "city") and senses[0].uses > 0 else ""
    return kinds.pop() if len(kinds) == 1 and kinds <= {"person", "place"} else ""


@functools.lru_cache(maxsize=1 << 14)
def _class_of(synset: int) -> str:
    from negforge.lexicon import lexicon

    words = lexicon()
    above = {word for one in words.above(synset) for word in words.words(one)}
    return next((name for name, kinds in _CLASS_WORDS.items() if not above.isdisjoint(kinds)), "")


@functools.lru_cache(maxsize=1 << 14)
def place_class(name: str) -> str:
    """`country`, `state`, `continent`, `city`, `river`, `lake`, `mountain`, `island` or `county`; nothing where it may be two of them."""
    from negforge.lexicon import lexicon

    bare = _ARTICLE.sub("", name).strip()
    words = bare.split()
    if bare in ("US", "U.S.", "USA", "UK", "U.K."):
        return "country"
    listed = (("country", _COUNTRIES), ("state", _STATES), ("continent", _CONTINENTS), ("city", _CITIES))
    classes = {name for name, places in listed if bare in places}
    if not classes and words:
        classes = {_WATERS[word] for word in (words[0], words[-1]) if word in _WATERS and len(words) > 1}
    if not classes:
        known = lexicon()
        classes = {_class_of(sense.synset) for sense in known.senses(bare, "n") if known.is_instance(sense.synset)} - {""}
    found = classes.pop() if len(classes) == 1 else ""
    return found if found != "country" or bare in _COUNTRIES else ""  # WordNet's countries are old


def gender_of(name: str) -> str:
    """`f` or `m`, by a title or a first name; nothing where neither says it."""
    words = name.replace(".", " ").split()
    if not words:
        return ""
    if words[0] in _TITLES:
        return _TITLES[words[0]] or (gender_of(" ".join(words[1:])) if len(words) > 2 else "")
    return (
        ""
        if words[0] in _UNISEX or (words[0] in _ALSO_PLACES and len(words) == 1)
        else "f"
        if words[0] in _FEMALE
        else "m"
        if words[0] in _MALE
        else ""
    )


def pronouns(text: str) -> str:
    """`f` or `m` where a text has pronouns of that gender alone, `both` where it has both, nothing where it has none."""
    found = {
        "m" if match[0].lower().startswith(("he", "hi")) and not match[0].lower().startswith("her") else "f"
        for match in _PRONOUN.finditer(text)
    }
    return "both" if len(found) > 1 else found.pop() if found else ""


def plain(name: str) -> str:
    """A name in small letters, without article, possessive and dots: `The U.S.'s` is `us`."""
    bare = re.sub(r"['\u2019]s?$", "", _ARTICLE.sub("", name.strip())).casefold()
    return " ".join(bare.replace(".", "").replace("-", " ").split())


def alias(one: str, other: str) -> bool:
    """Whether two names may name the same: equal but for case, article and dots, short for each other, synonyms, or one in the other."""
    left, right = plain(one), plain(other)
    if left == right or not left or not right:
        return True
    lefts, rights = left.split(), right.split()
    if set(lefts) <= set(rights) or set(rights) <= set(lefts):
        return True
    if left in (_acronym(rights, small=True), _acronym(rights, small=False)) or right in (
        _acronym(lefts, small=True),
        _acronym(lefts, small=False),
    ):
        return True
    return any(left in same and right in same for same in _SAME_PLAIN) or _synonyms(left, right)


_SAME_PLAIN = [frozenset(plain(one) for one in same) for same in _SAME]


def _acronym(words: Sequence[str], *, small: bool) -> str:
    return "".join(word[0] for word in words if small or word not in _JOINS) if len(words) > 1 else ""


@functools.lru_cache(maxsize=1 << 14)
def _synonyms(one: str, other: str) -> bool:
    from negforge.lexicon import lexicon

    words = lexicon()
    return bool({sense.synset for sense in words.senses(one, "n")} & {sense.synset for sense in words.senses(other, "n")})


def occurrences(text: str, name: str) -> list[tuple[int, int]]:
    """Where a text has a name as it is written, whole: start and end of each."""
    return [match.span() for match in re.finditer(rf"(?<![^\W_])(?<!['\u2019-]){re.escape(name)}(?![^\W_]|-\w)", text)]


def said_otherwise(text: str, name: str) -> str:
    """A part of a name, or its acronym, that stands in the text apart from the name: it would be left behind. Nothing where none does."""
    spans = occurrences(text, name)
    rest = text
    for start, end in reversed(spans):
        rest = rest[:start] + " " * (end - start) + rest[end:]
    words = [
        word
        for word in re.findall(r"[^\W\d_]+", name)
        if len(word) > 2 and word.casefold() not in _JOINS and word.rstrip(".") not in _TITLES
    ]
    short = _acronym(name.split(), small=False)
    for word in [*words, *([short] if len(short) > 1 else []), name]:
        if match := re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", rest, re.IGNORECASE):
            return match[0]
    return ""


def replaced(text: str, changes: Sequence[tuple[int, int, str]]) -> tuple[int, int, str]:
    """One edit that makes all the changes (start, end, new), which do not overlap: it spans them, and keeps what lies between."""
    order = sorted(changes)
    start, end = order[0][0], order[-1][1]
    made, at = [], start
    for first, last, new in order:
        made += [text[at:first], new]
        at = last
    return start, end, "".join(made)
