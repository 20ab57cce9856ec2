"""Names of the months, by language, and which month each is one of."""

from __future__ import annotations

# In the order in which an unclear name (`mai`) is looked for; `short` are the English abbreviations.
_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "short": "jan feb mar apr may jun jul aug sep oct nov dec",
    "de": "januar februar m\u00e4rz april mai juni juli august september oktober november dezember",
    "no": "januar februar mars april mai juni juli august september oktober november desember",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "fr": "janvier f\u00e9vrier mars avril mai juin juillet ao\u00fbt septembre octobre novembre d\u00e9cembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro mar\u00e7o abril maio junho julho agosto setembro outubro novembro dezembro",
}
NAMES = {language: names.split() for language, names in _MONTHS.items()}
# A name that two languages share is of the same month in both.
NUMBER = {name: number for names in NAMES.values() for number, name in enumerate(names, start=1)} | {"sept": 9}
EVERY_NAME = "|".join(sorted(NUMBER, key=lambda name: (-len(name), name)))
LANGUAGES = {"nb": "no", "nn": "no", "da": "no"}
