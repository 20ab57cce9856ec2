"""Find the numbers of a text, and what its words and marks make of each: a quantity, or a reason to leave it alone.

What `perturb.number` lists as reasons is found here. Cue words are English, with the commonest of some other languages; all else
reads digits, signs and spaces in any language.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import polars as pl

NUMBER = re.compile(r"[0-9]+(?:[.,\u00b7'\u2019\u00a0\u202f\u2009][0-9]+| [0-9]{3}(?![0-9]))*")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([^0-9])[0-9]{3}(?:\1[0-9]{3})*|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")
WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
SENTENCE_END = re.compile(
    r"[.!?\n\u061f\u3002\uff01\uff1f](?:(?<=\n)\s*|(?<=[\u3002\uff01\uff1f])\s*"
    r"|(?<=[!?\u061f])[\"')\]\u201d\u2019\u00bb]*(?:\s+|\Z)"
    # After an abbreviation comes a small letter, a digit or a name.
    r"|(?<=\.)(?<!Mr\.)(?<!Ms\.)(?<!Dr\.)(?<!St\.)(?<!Mrs\.)(?<!Prof\.)(?<!\b[A-Z]\.)"
    r"[\"')\]\u201d\u2019\u00bb]*\s+(?=[^\sa-z0-9]))"
)
_OPEN_END = re.compile(
    " (?:(?:or|and|oder|ou|eller) (?:so|more|less|fewer|greater|higher|lower|older|younger|over|above|below|under|up"
    "|longer|better|many|mehr|plus|mer|flere)|at (?:least|most)|minimum|maximum|plus|max|min|tops)(?![^\\W\\d_])"
)
# What may follow a hyphen: `a 12-page book` has 12 pages, but `12-lead` and `2-aminoethyl` are names.
_COMPOUND = re.compile(
    r"-(?:page|person|people|man|woman|child|member|room|bedroom|story|storey|floor|seat|seater|piece|pack|count|game"
    r"|point|question|word|item|acre|hectare|hour|minute|second|day|week|month|year|mile|kilomet(?:er|re)|met(?:er|re)"
    r"|foot|feet|inch|pound|ounce|ton|tonne|gallon|lit(?:er|re)|cup|dollar|cent|euro|gram|kilogram|degree|fold|percent"
    r"|cm|mm|km|kg|mg|ml)s?(?:-old|-long|-tall|-wide|-deep|-high)?(?![\w-])"
)
_RATE = re.compile(
    r"[- ](?:year|yr|y|month|week|day)s?[- ](?:[\w-]+ ){0,2}"
    r"(?:survival|mortality|risk|rate|incidence|recurrence|relapse|outcome|prognosis|DSS|EFS|PFS|OS)\b"
)
_LOOKED_AT = 8000
_SIGNS = "-\u2212"
_CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9"
_QUOTES = "\"'()[].,;:!?\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e"
_CLOSING = "\"')]\u201d\u2019\u00bb"
_STOPPING = ".,;:"


def word_set(listed: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(listed.split())


def by_word(**reasons: str) -> dict[str, str]:
    """Lists of words under their reason, as the reason of each word; an underscore is the space in a phrase."""
    return {word.replace("_", " "): reason.replace("_", "-") for reason, words in reasons.items() for word in words.split()}


# What a mark that touches the number makes of it; any other but white space makes it `code`.
_MARK_BEFORE = by_word(
    fine="( =",
    hedged="~ \u2248 \u223c",
    bound="< > \u2264 \u2265",
    range="\u00b1",
    label="# \u2116 \u00a7",
    citation="[",
    exponent="^",
    operand="* \u00d7 \u00f7",
    name="\" \u201c \u201e \u00ab ' \u2018",
)
_MARK_AFTER = by_word(
    fine=". , ; : ! ? ) = \u2014 \u3002 \u060c",
    citation="]",
    bound="+",
    operand="* \u00d7 \u00f7 <",
    ratio="/",
    exponent="^",
    name='" \u201d \u201c \u00bb',
)
_SUFFIX = by_word(ordinal="st nd rd th", time="am pm", date="s")
# What the text between two numbers makes of both; through a `list` one number's reason passes to the others.
_BETWEEN = by_word(
    range="""- \u2010 \u2011 \u2012 \u2013 \u2014 \u2212 ~ ... \u2026 \u00b1 +/- +- to through thru until or ,_or up_to
        bis oder à a ou til till tot eller""",
    ratio="/ : of out_of of_the out_of_the of_these of_those in in_every for_every per",
    operand="+ * x \u00d7 \u00f7",
    exponent="^ ^-",
    code=". )",
    list=", ; and ,_and & und et y og och en",
)
_SHARED = word_set("label name code date ordinal citation condition bound range example statistic time")
# What a word anywhere in the sentence makes of its numbers, and what a word before the number does.
_ANYWHERE = by_word(
    conditional="""if unless whether suppose supposing assuming assume imagine provided wish wishes wished otherwise
        wenn sofern hvis dersom""",
    modal="""can could may might cannot should perhaps maybe possibly probably able capable possible likely unlikely
        ought seems seem seemed appears believed thought kan kann können könnte peut peuvent puede pueden kunnen""",
)
_EARLIER = by_word(
    negated="""not no never neither nor none nobody nothing without hardly barely scarcely rarely seldom instead rather
        lack lacks lacked absence fail fails failed refuse refused refuses deny denies denied unable avoid avoids
        avoided prevent prevents prevented exclude excludes excluded excluding except false incorrect wrong myth doubt
        doubts isn't aren't wasn't weren't doesn't don't didn't hasn't haven't hadn't won't wouldn't can't couldn't
        shouldn't ain't mustn't needn't nicht kein keine keinen nie ne pas non não ikke inte niet geen""",
    quantified="""some several certain various sometimes often usually typically generally normally commonly frequently
        occasionally mostly many most few anyone any whoever whenever""",
    condition="who whose when where while after before until since during once upon",
)
_CUES = frozenset((*_ANYWHERE, *_EARLIER))
# What the last word or two before the number make of it.
_PREVIOUS = by_word(
    hedged="""about around near roughly approximately approx nearly almost circa ca c estimated virtually close_to
        etwa ungefähr rund fast environ presque cerca casi unos unas aproximadamente omtrent cirka nesten næsten
        omkring ungefär nästan ongeveer bijna ~ \u2248 \u223c""",
    skipped="""a an the another its their his her my our your this these those just only exactly der die das den le la
        les el los""",
    bound="""over than under below above beyond within exceed exceeds exceeded exceeding as minimum maximum min max
        least most past inside reach reaches reached reaching up_to down_to minimum_of maximum_of upwards_of excess_of
        limit_of plus_de limited_to mindestens höchstens über unter bis als moins menos más hasta almeno minst høyst
        enn än dan < > \u2264 \u2265""",
    rank="first last next previous top following final initial recent",
    range="between \u00b1 +/-",
    ratio="per every each",
    operand="+ - \u2212 * \u00d7 x / \u00f7 minus times divided_by multiplied_by",
    example="like say such_as e.g i.e",
    condition="""at after before during since until till aged age ages throughout post dose_of doses_of age_of ages_of
        concentration_of concentrations_of temperature_of cutoff_of cut-off_of threshold_of level_of levels_of""",
    statistic="ci interval intervals iqr sd se sem p chi t z f r",
    label="""page pages pp pg section sections sec figure figures fig figs table tables tab chapter chapters ch type
        types phase phases stage stages grade grades class classes level levels group groups arm step steps part parts
        volume volumes vol nr number numbers numbered version versions room route routes line lanes flight day days week
        weeks month months year years hour hours minute question questions problem item items rule rules article
        articles scenario model size channel season episode round game lesson unit units exercise equation note ref
        reference references case patient subject gene receptor factor vitamin exons residues positions chromosomes
        category scores kapitel seite tabelle nummer typ klasse kapittel side tabell chapitre numéro capítulo página
        número tipo pagina capitolo numero hoofdstuk""",
)
LABELS = frozenset(word for word, reason in _PREVIOUS.items() if reason == "label")
_SECOND_WORDS = frozenset(phrase.split()[1] for phrase in _PREVIOUS if " " in phrase)
# What the first word after the number makes of it.
_NEXT = by_word(
    percent="% percent pct prozent prosent procent pourcent",
    time="am pm a.m p.m o'clock o\u2019clock uhr hrs noon midnight",
    ordinal="st nd rd th century",
    operand="x \u00d7 * + - \u2212 \u00f7 /",
    range="\u00b1 +/- +-",
    bound="< > \u2264 \u2265",
    statistic="confidence ci cis credible uncertainty empirical bootstrap",
    rank="most best top leading major main worst first last next",
)
_ARMS = word_set("group groups arm arms cohort cohorts dose doses")
_LATER = ("after", "before", "post", "follow", "prior", "later", "earlier", "into", "from", "nach", "etter", "après")
_P_VALUES = frozenset(("p", "2p", "pvalue", "p-value", "value", "\u03b1", "alpha", "z", "t"))
MONTHS = word_set("""
    january february april june july august september october november december jan feb apr jun jul aug sep sept oct
    nov dec januar februar märz mai juni juli oktober dezember desember mars mei maart janvier février avril juin
    juillet août septembre octobre novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre
    octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre janeiro
    fevereiro março maio junho julho setembro outubro novembro dezembro januari februari maj augusti augustus""")
_CAPITAL_MONTHS = frozenset(("May", "March", "Mar"))  # in small letters they are other words
_YEARS = word_set("year years yr yrs")
_SPANS = _YEARS | word_set("""
    second seconds sec s minute minutes min mins hour hours hr h day days d week weeks wk wks month months mo decade
    decades""")
_UNITS = _SPANS | word_set("""
    mg g kg \u00b5g \u03bcg ng pg l ml dl mm cm m km nm \u00b5m \u03bcm inch inches foot feet ft mile miles yard
    yards lb lbs oz ounce ounces pound pounds ton tons tonnes liter liters litre litres gallon gallons cup cups mph kph
    kwh mwh kb mb gb tb hz khz mhz ghz w kw mw v kv ma mmol mol pmol nmol kda da bp kcal calories dollars dollar cents
    euro euros usd eur gbp nok sek dkk degrees degree \u00b0c \u00b0f mmhg pa kpa bar meter meters metre metres
    kilometers kilometres grams kilograms acres hectares watts volts""")
_MOLAR = frozenset(("m", "mm", "\u00b5m", "\u03bcm", "nm"))
# English words before a quantity. After a noun the number is a label: `pathogens 16`, `kidney 293 cells`.
_LEADS = word_set("""
    is are was were be been being equals equal has have had of to by for from with and or but into in on sum also now
    then totals total cost costs scored score got get gets bought sold made makes leaves left becomes became remains
    spent paid exactly there =""")
_VERBS = _LEADS | word_set("""
    gave took ate found ran read wrote drew saw kept put cut hit set held built drove rode flew swam sent brought
    caught taught fed led met slept wore grew knew threw began drank sang broke chose stole fell shot sat stood told
    went came hid laid lent won lost beat bet bit let do does did done buy sell give take eat find run write draw see
    keep hold build drive ride send bring catch teach feed lead meet wear grow throw begin drink break choose steal
    tell go lay lend need want use earn work walk pay spend make add produce consume require contain include comprise
    weigh measure lose win receive collect plant bake pick pack fit leave own owe save share deliver serve live play
    cover show hear heard yield carry travel purchase raise donate charge fill given shown drawn grown taken eaten seen
    underwent average mean median additional extra new further remaining other full net plus versus vs v sum difference
    answer result ratio product where y n him them us me it worth up out all both that which whom among against through
    via away down off because so although when while here thus we he she they you i our those these""")
KNOWN = _VERBS | _CUES
_PLAIN_LEADS = _LEADS - _SECOND_WORDS - {*_PREVIOUS} - word_set("are were =")
_NO_NOUNS = word_set("and or in of to with for by on at from as is was are were has had have which that") | {""}
_VERB_ENDINGS = ("ed", "ing", "s", "ly")
_NO_SUPERLATIVE = word_set("forest guest west test nest chest interest request harvest rest quest contest protest rainforest")
_UNITS_SAID = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen"""
_TENS_SAID = "twenty thirty forty fifty sixty seventy eighty ninety"
_SAID = {word: str(value) for value, word in enumerate(_UNITS_SAID.split())}
_SAID |= {word: f"{ten}0" for ten, word in enumerate(_TENS_SAID.split(), start=2)}
_SAID |= dict.fromkeys(("twice", "double", "doubled", "both", "pair", "couple"), "2")
_SAID |= dict.fromkeys(("thrice", "triple", "tripled"), "3") | {"quadruple": "4", "decade": "10", "dozen": "12"}
_SAID |= {"quarter": "25", "half": "50", "hundred": "100", "century": "100", "thousand": "1000", "million": "1000000"}
_SAID_WORDS = frozenset(_SAID)
_NOTHING_SAID: frozenset[str] = frozenset()
# Run over a whole column, in the Rust dialect: texts that may hold a cue, a question or a value in words, and an open end.
CUED = "[?\u061f\uff1f]|(?i)(?-u:\\b)(?:" + "|".join(sorted(_CUES | _SAID_WORDS)).replace("'", "['\u2019]") + ")(?-u:\\b)"
OPENED = _OPEN_END.pattern.partition("(?!")[0]
# Where a text may have a second sentence: every match of `SENTENCE_END` begins at a match of this.
STOPS = "[\n\u3002\uff01\uff1f!?\u061f]|[.][\"')\\]\u201d\u2019\u00bb]*\\s"


class Number(NamedTuple):
    """A number as written: its value is digits / 10^decimals, and what replaces it has digits from floor to ceiling.

    key: the value in one spelling, so that equal numbers have equal keys.
    """

    digits: int
    decimals: int
    floor: int
    ceiling: int
    key: str


class Site(NamedTuple):
    """A number in its text, and what its neighbours make of it. With a reason it is left alone.

    below_hundred: percentages and years, which stay so. rising: a count of what there is, true of smaller counts too.
    """

    start: int
    end: int
    key: str
    reason: str
    number: Number | None = None
    hedged: bool = False
    below_hundred: bool = False
    money: bool = False
    rising: bool = False


class _After(NamedTuple):
    """What touches a number on the right. stop: where the words after it begin; closed: a mark ends the phrase."""

    reason: str
    stop: int = 0
    percent: bool = False
    money: bool = False
    compound: bool = False
    closed: bool = False


_PLAIN_AFTER = _After("")


def beginning(text: str) -> str:
    """The first 8,000 characters of a text, up to a blank: what costs more than its length is looked for in no more."""
    if len(text) <= _LOOKED_AT:
        return text
    cut = text.rfind(" ", 0, _LOOKED_AT)
    return text[: cut if cut > 0 else _LOOKED_AT]


def every_site(texts: pl.Series, language: str) -> Iterator[list[Site]]:
    """The numbers of each text's beginning as `sites_of` finds them: none where it has no digit."""
    cued, opened, stopped = (texts.str.contains(pattern).to_list() for pattern in (CUED, OPENED, STOPS))
    for whole, has_cues, ends_open, stops in zip(texts.to_list(), cued, opened, stopped, strict=True):
        text = beginning(whole)
        found = [*NUMBER.finditer(text)]
        yield sites_of(text, found, language, has_cues, ends_open, stops)[0] if found else []


def sites_of(
    text: str, found: Sequence[re.Match[str]], language: str, has_cues: bool, ends_open: bool, stops: bool
) -> tuple[list[Site], frozenset[str]]:
    """Every number of a text with the first reason against a change of it, and the values the text says in words.

    has_cues: whether the text may hold a cue, a question or a value in words. ends_open: whether a phrase like `or more` stands
    in it. stops: whether it may have a second sentence.
    """
    if len(found) == 1 and not (has_cues or ends_open):
        alone = _plainly(text, *found[0].span(), language)
        if alone is not None:
            return [alone], _NOTHING_SAID
    numbers = [parsed(token[0]) for token in found]
    keys = [number.key if number is not None else _odd_key(text, token) for number, token in zip(numbers, found, strict=True)]
    links = _links(text, found) if len(found) > 1 else []
    ends = [match.end() for match in SENTENCE_END.finditer(text)] if stops else []
    first, last = 0, ends[0] if ends else len(text)
    calm, said = True, _NOTHING_SAID
    unread: list[tuple[int, str]] | None = []
    if has_cues:
        words = _plain(text).split()
        calm, said, unread = _CUES.isdisjoint(words), _said(words), None
    cues = unread
    sites: list[Site] = []
    for place, token in enumerate(found):
        start, end = token.span()
        if start >= last:
            passed = bisect_right(ends, start)
            first, last, cues = ends[passed - 1], ends[passed] if passed < len(ends) else len(text), unread
        link = _stronger(links, place) if links else ""
        if link:
            sites.append(Site(start, end, keys[place], link))
            continue
        site = _judged(text, start, end, keys[place], numbers[place], first, last, language)
        if not site.reason:
            cues = cues_of(text[first:last], calm) if cues is None else cues
            reason = bearing(cues, text[first:start]) if cues else ""
            if not reason and ends_open and _OPEN_END.search(text, end, min(last, end + 48)):
                reason = "bound"
            if not reason and ((links and keys.count(site.key) > 1) or (said and _stands(site.key, said))):
                reason = "repeated"
            if reason:
                site = Site(start, end, site.key, reason)
        sites.append(site)
    if "list" in links:
        _share(sites, links)
    return sites, said


def _odd_key(text: str, token: re.Match[str]) -> str:
    """The key of what no quantity is spelled like: as it is, but .05 is 0.05."""
    return key_of(int(token[0]), len(token[0])) if text[token.start() - 1 : token.start()] == "." and token[0].isdigit() else token[0]


def _stronger(links: list[str], place: int) -> str:
    """What the neighbouring numbers make of the one at a place: the first reason among its two links."""
    for link in links[max(0, place - 1) : place + 1]:
        if link and link != "list":
            return link
    return ""


def _links(text: str, found: Sequence[re.Match[str]]) -> list[str]:
    """What the text between each number and the next makes of both."""
    gaps = [text[one.end() : two.start()] for one, two in pairwise(found)]
    links = [_link(gap, *found[place : place + 2]) if len(gap) <= 16 else "" for place, gap in enumerate(gaps)]
    for place, (one, two) in enumerate(pairwise(gaps)):
        if one == two and one in ("-", "/"):  # 2020-05-06
            links[place] = links[place + 1] = "date"
    return links


def _link(gap: str, one: re.Match[str], two: re.Match[str]) -> str:
    left, right = len(one[0]), len(two[0])
    if "\n" in gap:
        return ""
    core = gap.strip(f" \u00a0\u202f%\u00b0{_CURRENCIES}").lower()
    link = _BETWEEN.get(core, "") if core else "code"
    if not link:
        unit, _, word = core.rpartition(" ")
        if word in ("-", "\u2212") and _BETWEEN.get(unit) == "list":  # `caspases -3 and -9`
            return "list"
        # `5 mg to 10 mg`, `5 years - 7 years`
        return "range" if unit and " " not in unit and _BETWEEN.get(word) == "range" else ""
    if core == ":" and left <= 2 and right == 2:
        return "time"
    if core == "in" and right == 4:  # a year
        return ""
    if (core == "," and left <= 3 and right == 3) or (gap == "-" and left == 3 and right == 4):
        return "code"  # `1, 320`, `555-1234`
    return link


def _share(sites: list[Site], links: list[str]) -> None:
    """Pass reasons along lists: in `types 1 and 2` and in `5 and 7 days after` one word speaks of both numbers."""
    places = [place for place, link in enumerate(links) if link == "list"]
    for one, two in [(place, place + 1) for place in places] + [(place + 1, place) for place in reversed(places)]:
        if sites[one].reason in _SHARED and sites[two].reason not in _SHARED:
            sites[two] = Site(*sites[two][:3], sites[one].reason)


def _judged(text: str, start: int, end: int, key: str, number: Number | None, first: int, last: int, language: str) -> Site:
    """A number by what stands around it in its sentence, which goes from first to last."""
    if number is None:
        return Site(start, end, key, "date" if re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}", key) else "code")
    plain = _plainly(text, start, end, language)
    if plain is not None:
        return plain
    edge, hedged, money, after = start, False, False, _PLAIN_AFTER
    if text[start - 1 : start] != " ":  # by far the commonest, before and after
        reason, edge, hedged, money = _touching_before(text, start)
        if reason:
            return Site(start, end, key, reason)
    stop = end
    if text[end : end + 1] != " ":
        after = _touching_after(text, start, end, first, language)
        if after.reason:
            return Site(start, end, key, after.reason)
        stop = after.stop
    following = follower = ""
    if not (after.closed or after.compound):
        following, follower = _followed(text[stop : min(last, stop + 48)].split(None, 2), language)
    percent, money = after.percent or following == "percent", money or after.money
    reason, lead, vague = _led(text, edge, first, language)
    if reason and not ((percent or money) and (lead == "at" or reason == "label")):
        return Site(start, end, key, following if following in ("time", "date", "ordinal") else reason)
    bare = not (percent or money or after.compound)
    reason = following if following != "percent" else ""
    reason = reason or _unfit(number, text[start:end], lead, follower, bare=bare, opens=edge == first)
    if not reason and (
        # `the drug (10 mg/kg) relieved pain`, `a 5-year survival of 80 %`
        (text[start - 1 : start] == "(" and ("/" in follower or follower in _MOLAR)) or _RATE.match(text, end)
    ):
        reason = "condition"
    rising = bare and (lead == "there" or (edge == first and follower != ""))
    return Site(start, end, key, reason, number, hedged or vague, percent or follower in _YEARS, money, rising)


def _plainly(text: str, start: int, end: int, language: str) -> Site | None:
    """The number between two plain words that each say alone what they make of it, or None for all else, which wants a closer look.

    Gives what `_judged` would find, for less: most numbers stand so, and words repeat.
    """
    before, after = text.rfind(" ", 0, max(start - 1, 0)) + 1, text.find(" ", end + 1)
    led = _led_alone(text[before : start - 1], language) if text[start - 1 : start] == " " else None
    if led is None or text[end : end + 1] != " ":
        return None
    word, second = text[end + 1 : after if after >= 0 else len(text)], ""
    if after >= 0 and word.rstrip(_STOPPING) in _UNITS:
        later = text.find(" ", after + 1)
        second = text[after + 1 : later if later >= 0 else len(text)]
        if word not in _UNITS or not _is_plain(second.rstrip(_STOPPING)):
            return None
    follows = _follows_alone(word, second)
    written = text[start:end]
    number = parsed(written)
    if follows is None or number is None:
        return None
    reason, lead = led
    reason = (follows[0] if follows[0] in ("time", "date", "ordinal") else reason) if reason else follows[0]
    reason = reason or _unfit(number, written, lead, follows[1], bare=True, opens=False)
    return Site(start, end, number.key, reason, number, rising=lead == "there")


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isalpha() and word.islower()


@lru_cache(maxsize=1 << 14)
def _led_alone(raw: str, language: str) -> tuple[str, str] | None:
    """What a word before a number makes of it, and the word, if no word before that one has a say."""
    if not _is_plain(raw) or len(raw) >= 40 or raw in _SECOND_WORDS or raw in ("are", "were"):
        return None
    reason, lead, hedged = _led(f" {raw} ", len(raw) + 2, 0, language)
    return None if hedged or _PREVIOUS.get(raw) == "skipped" else (reason, lead)


@lru_cache(maxsize=1 << 14)
def _follows_alone(raw: str, second: str) -> tuple[str, str] | None:
    """What a word after a number makes of it, and the word, if no other word has a say. second: the next one, after a unit."""
    word = raw.rstrip(_STOPPING)
    if not _is_plain(word) or len(raw) + len(second) >= 47 or word in _SPANS or word in ("per", "de"):
        return None
    reason, word = _followed([raw, second] if second else [raw], "en")
    return None if reason == "percent" else (reason, word)


def _touching_before(text: str, start: int) -> tuple[str, int, bool, bool]:
    """What touches a number on the left: a reason, where the words before it end, whether hedged, whether money."""
    mark = text[start - 1 : start]
    edge, money = start, mark != "" and mark in _CURRENCIES
    if money:
        edge -= 1
        mark = text[edge - 1 : edge]
    if not mark or mark.isspace():
        return "", edge, False, money
    farther = text[edge - 2 : edge - 1]
    if mark in _SIGNS and (not farther or farther in " \n(=:"):
        powered = farther == "(" and text[edge - 3 : edge - 2].isalnum()  # 10(-4)
        return "exponent" if powered else "", edge - 1, False, money
    reason = _MARK_BEFORE.get(mark, "code")
    if reason == "hedged":
        return "", edge - 1, True, money
    if reason == "fine":
        reason = "code" if mark == "(" and farther.isalnum() else ""
    return reason, edge, False, money


def _touching_after(text: str, start: int, end: int, first: int, language: str) -> _After:
    """What touches a number on the right: a percent sign, a currency, a unit by a hyphen, or an end of the phrase."""
    mark = text[end : end + 1]
    stop, percent, money = end, mark == "%", mark != "" and mark in _CURRENCIES
    if percent or money:
        stop += 1
    elif mark == "\u00b0":
        stop += 2 if text[stop + 1 : stop + 2] in ("C", "F") else 1
    mark, farther = text[stop : stop + 1], text[stop + 1 : stop + 2]
    if not mark or mark.isspace():
        return _After("", stop, percent, money, closed=not mark)
    if unit := _COMPOUND.match(text, stop):
        # `7-day-old mice ...` may be true of others too.
        return _After("condition" if unit[0].endswith("-old") else "", unit.end(), percent, money, compound=True)
    if suffix := WORD.match(text, stop):
        return _After(_SUFFIX.get(suffix[0].lower(), "code"))
    if mark in "'\u2019" and farther == "s":
        return _After("date")
    if mark != "/" or not (money or text[start - 1 : start] in tuple(_CURRENCIES)) or not farther.isalpha():
        reason = _MARK_AFTER.get(mark, "code")
        if reason != "fine":
            return _After(reason)
        reason = _ended(text, start, stop, first, language)
        if reason and not (reason == "citation" and (percent or money)):
            return _After(reason)
    return _After("", stop, percent, money, closed=True)


def _ended(text: str, start: int, stop: int, first: int, language: str) -> str:
    """What a mark at `stop` makes of the number before it, or nothing if it only ends the phrase."""
    mark, farther = text[stop], text[stop + 1 : stop + 2]
    if mark == ")" and text[start - 1 : start] == "(":
        return "citation"
    if mark in ".)" and start == first and farther.isspace():
        return "list-marker"
    if mark == ")" and text.rfind("(", first, start) <= text.rfind(")", first, start):  # no bracket is open
        return "list-marker"
    if mark in ".,:;!?" and farther and not farther.isspace() and farther not in _CLOSING:
        return "code"
    if mark == "." and farther.isspace():
        # In many languages a full stop makes an ordinal: `am 3. Platz`, `den 20. mai`.
        letter = text[stop + 2 : stop + 3]
        if letter.islower() or (language == "de" and letter.isupper() and stop - start <= 2):
            return "ordinal"
    return ""


def _led(text: str, edge: int, first: int, language: str) -> tuple[str, str, bool]:
    """What the words before a number make of it: a reason, the nearest word that matters, whether it is hedged."""
    words = text[max(first, edge - 40) : edge].rsplit(None, 5)
    hedged = exact = False
    while words:
        raw = words.pop()
        if raw in _PLAIN_LEADS:  # true of most numbers
            return "", "exactly" if exact else raw, hedged
        word = raw.strip(_QUOTES).lower()
        reason = _PREVIOUS.get(word)
        if word in _SECOND_WORDS and words:
            reason = _PREVIOUS.get(f"{words[-1].strip(_QUOTES).lower()} {word}", reason)
        if not raw[-1].isalnum() and raw[-1] != "." and raw not in _PREVIOUS:
            return _after_mark(raw, word, words[-1] if words else ""), "=" if raw[-1] == "=" else "", hedged
        if reason == "hedged":
            hedged = True
        elif reason == "skipped" and (word != "a" or language == "en"):  # `il a 20 chiens`
            exact = exact or word in ("exactly", "only", "just")
        elif reason and reason != "skipped":
            return reason, word, hedged
        elif raw in _LEADS:
            lead = "there" if word in ("are", "were") and words and words[-1].lower() == "there" else word
            return "", "exactly" if exact else lead, hedged
        elif word in MONTHS or raw.strip(_QUOTES) in _CAPITAL_MONTHS:
            return "date", word, hedged
        elif raw.lstrip(_QUOTES)[:1].isupper() and (words or edge - 40 > first or word not in KNOWN):
            return "name", word, hedged
        elif language == "en" and _is_noun(word):
            return "label", word, hedged
        else:
            return "", "exactly" if exact else word, hedged
    return "", "exactly" if exact else "", hedged


def _is_noun(word: str) -> bool:
    """Whether a word before a number is taken for an English noun: for none of the verbs and small words known."""
    return word not in KNOWN and not word.endswith(_VERB_ENDINGS) and (word.isascii() or len(word) < 3)


def _after_mark(raw: str, word: str, before: str) -> str:
    """What a word that ends in a mark makes of the number after it: mostly nothing, for a phrase ends there."""
    if raw[-1] == "=":
        if not {"?", "&", "@"}.isdisjoint(raw):  # the query of an address
            return "code"
        return "statistic" if (raw[:-1] or before).strip(_QUOTES).lower() in _P_VALUES else ""
    if raw[-1] in ",;:)]":
        return "statistic" if len(word) > 1 and _PREVIOUS.get(word) == "statistic" else ""
    reason = _MARK_BEFORE.get(raw[-1], "fine")
    return reason if reason in ("bound", "operand", "range", "label", "exponent") else ""


def _followed(words: Sequence[str], language: str) -> tuple[str, str]:
    """What the words after a number make of it: a reason or `percent`, and the first of them."""
    if not words:
        return "", ""
    raw = words[0]
    word = raw if raw.islower() and raw.isalpha() else raw.strip(_QUOTES).lower()
    reason = _NEXT.get(word) or _NEXT.get(raw, "")
    if reason:
        return reason, word
    second = words[1].strip(_QUOTES).lower() if len(words) > 1 else ""
    if word == "per" and second.startswith("cent"):
        reason = "percent"
    elif word in MONTHS or (word == "de" and second in MONTHS):
        reason = "date"
    elif word is not raw and raw.lstrip(_QUOTES)[:1].isupper() and word not in _UNITS:
        reason = "date" if raw.strip(_QUOTES) in _CAPITAL_MONTHS else "" if language == "de" else "name"
    elif raw[0] == "(" and re.match(r"\([12][0-9]{3}\b", raw):  # `Nature 246 (1973)`
        reason = "citation"
    elif word.endswith("est") and word not in _NO_SUPERLATIVE:
        reason = "rank"
    elif (word in _SPANS and second.startswith(_LATER)) or (word in _UNITS and second in _ARMS):
        reason = "condition"
    return reason, word


def _unfit(number: Number, written: str, lead: str, follower: str, *, bare: bool, opens: bool) -> str:
    """Why a number cannot change, from what it is and the words beside it, or nothing.

    bare: it has neither currency nor percent nor a unit by a hyphen. opens: it is the first thing in its sentence.
    """
    if bare:
        if len(written) == 4 and written.isdigit() and 1000 <= number.digits <= 2100 and follower not in _UNITS:
            return "date"
        if lead and lead not in _VERBS and not lead.endswith("ed") and follower in _NO_NOUNS:
            return "label"  # `kinases 4 and 6`
        if opens and follower in ("is", "was", "are", "were", "has", "had"):
            return "name"
    if lead in ("by", "for") and follower in _SPANS:
        return "condition"
    if number.digits in (0, 10**number.decimals):
        return "singular" if number.digits else "zero"
    return ""


def cues_of(sentence: str, calm: bool) -> list[tuple[int, str]]:
    """What the words of a sentence make of its numbers: reasons, with the place from which on each holds.

    calm: no cue word stands anywhere in the text.
    """
    if "?" in sentence or "\u061f" in sentence or "\uff1f" in sentence:
        return [(-1, "question")]
    cues: list[tuple[int, str]] = []
    position = 0
    for word in () if calm else WORD.findall(sentence):
        anywhere, earlier = _cue(word)
        if anywhere:
            return [(-1, anywhere)]
        if earlier:
            # Cues found so far lie before it, and so does every word that merely holds it, but for one that is whole.
            position = next(match.start() for match in WORD.finditer(sentence, position) if match[0] == word)
            cues.append((position, earlier))
            position += len(word)
    return cues


@lru_cache(maxsize=1 << 14)
def _cue(raw: str) -> tuple[str, str]:
    """What a word makes of the numbers anywhere in its sentence, and of those after it."""
    word = raw.lower().replace("\u2019", "'")
    return _ANYWHERE.get(word, "") if raw != "May" else "", _EARLIER.get(word, "")


def bearing(cues: list[tuple[int, str]], before: str) -> str:
    """The first reason that bears on the number after this part of its sentence; a condition ends at the next comma."""
    for position, reason in cues:
        if position < len(before) and not (reason == "condition" and "," in before[position:]):
            return reason
    return ""


def _plain(text: str) -> str:
    """A text in small letters, without the marks that mostly touch words."""
    text = text.lower().replace(",", " ").replace(".", " ").replace("-", " ")
    return text.replace("(", " ").replace(")", " ").replace("\u2019", "'")


def _said(words: list[str]) -> frozenset[str]:
    """The values that a text says in English words, with each of its tens and units joined: `twenty five` is 25 too."""
    if _SAID_WORDS.isdisjoint(words):
        return _NOTHING_SAID
    said = frozenset(_SAID[word] for word in _SAID_WORDS.intersection(words))
    tens = [one for one in said if len(one) == 2 and one[1] == "0"]
    return said.union(ten[0] + unit for ten in tens for unit in said if len(unit) == 1)


def _stands(key: str, said: frozenset[str]) -> bool:
    """Whether a value is among the said ones, also as so many hundreds, thousands or millions."""
    return key in said or any(
        scale in said and key.endswith(scale[1:]) and key[: 1 - len(scale)] in said for scale in ("100", "1000", "1000000")
    )


@lru_cache(maxsize=1 << 14)
def parsed(written: str) -> Number | None:
    """A number from its spelling, or None for what no quantity is spelled like: `007`, `1.2.3`, `1234567`."""
    digits = re.sub("[^0-9]", "", written)
    if len(digits) > 15:
        return None
    cut = max(written.rfind(mark) for mark in ".,\u00b7")
    whole, rest = (written[:cut], written[cut + 1 :]) if cut >= 0 else (written, "")
    grouped = _GROUPED.fullmatch(written) is not None
    # 1.234 and 1,234 are decimals to some and thousands to others: with as many digits a new one is right for both.
    narrow = grouped and cut >= 0 and whole.isdigit()
    if grouped and not (narrow and written[cut] != ","):
        rest = ""
    elif (
        not (whole.isdigit() or (rest and _GROUPED.fullmatch(whole)))
        or (whole[0] == "0" and len(whole) > 1)
        or (not rest and len(written) > 6)
    ):
        return None
    value, size, decimals = int(digits), len(digits), len(rest)
    # A fourth digit might want a separator, and looks like a year.
    ceiling = 10**size - 1 if narrow or size - decimals >= 3 else 10**16
    return Number(value, decimals, 10 ** (size - 1) if narrow else 1, ceiling, key_of(value, decimals))


def key_of(digits: int, decimals: int) -> str:
    """The value digits / 10^decimals in one spelling."""
    while decimals and digits % 10 == 0:
        digits, decimals = digits // 10, decimals - 1
    return f"{digits}e-{decimals}" if decimals else str(digits)
