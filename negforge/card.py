"""A dataset's card: its README, with what `load_dataset` needs in YAML and, below, what a reader wants to know.

It follows from the manifests alone. Whatever comes from data stands in code, where Markdown and HTML mean nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from negforge import registry
from negforge.errors import UsageError
from negforge.report import counted, counted_bytes, printable

KEEP = "surrogateescape"  # bytes of a person's card that are no UTF-8 stay as they are
_BEGIN, _END = "<!-- negforge: begin -->", "<!-- negforge: end -->"
_TAGS = ["negforge", "hard-negatives"]
_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")  # as the Hub writes size_categories
_OURS = ("configs", "dataset_info", "size_categories")
_NAME_CHARACTERS, _TEXT_CHARACTERS = 80, 280
_MOST_LINES = 30  # of a table
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def card_text(name: str, manifests: list[dict[str, Any]], old: str, *, place: str = "", licence: str | None = None) -> str:
    """The dataset's README: `configs` and true `dataset_info` for every version, and what it is; a person's own words stay.

    manifests: ascending. Without one the card names the version to come, so that loading fails until it is there. place: the
    repository on the Hub, where it is to lie in one. licence: for the YAML; UsageError if that states another.
    """
    import yaml

    front, own, body = _split_card(old)
    newest = manifests[-1]["version"] if manifests else 1
    configs, infos = [], []
    for version in [manifest["version"] for manifest in reversed(manifests)] or [newest]:
        files = [{"split": "train", "path": f"data/v{version}/train-*"}]
        configs.append({"config_name": f"v{version}", **({"default": True} if version == newest else {}), "data_files": files})
    for manifest in reversed(manifests):
        infos.append(
            {
                "config_name": f"v{manifest['version']}",
                "features": manifest["columns"],
                "splits": [{"name": "train", "num_bytes": manifest["memory_bytes"], "num_examples": manifest["rows"]}],
                "download_size": sum(shard["bytes"] for shard in manifest["shards"]),
                "dataset_size": manifest["memory_bytes"],
            }
        )
    stated = yaml.safe_load(front) or {}
    if licence is not None and stated.get("license") is None:
        front, stated["license"] = front + yaml.safe_dump({"license": licence}), licence
    elif licence not in (None, stated.get("license")):
        what = f"the card states the licence {stated['license']}, not {licence}"
        raise UsageError(what, mend="leave out --licence, or edit the YAML of README.md")
    ours: dict[str, list[Any]] = {"configs": configs + own["configs"], "dataset_info": infos + own["dataset_info"]}
    if manifests:
        ours |= {"size_categories": [_size(manifests[-1]["rows"])], "tags": [] if "tags" in stated else _TAGS}
    front += yaml.safe_dump({key: value for key, value in ours.items() if value}, sort_keys=False, allow_unicode=True, width=120)
    words = _words(manifests[-1], place, stated.get("license")) if manifests else "There is no version yet: its writer is at work, or died."
    return f"---\n{front}---\n" + _with_block(body if body.strip() else f"\n# {name}\n", words)


def front_of(card: str) -> dict[str, Any]:
    """What a card's YAML says, empty where it cannot be read."""
    import yaml

    match = re.match(r"---\n(.*?)^---", card, re.DOTALL | re.MULTILINE)
    try:
        found = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        found = None
    return found if isinstance(found, dict) else {}


def described(manifest: dict[str, Any]) -> str:
    """A version in a sentence."""
    made = [_clean(stage["stage"], _NAME_CHARACTERS) for stage in manifest["stages"]]
    by = f", made by {', '.join(made)}" if made else ""
    return f"{counted(manifest['rows'], 'row')} of kind {manifest['kind']} in version v{manifest['version']}{by}."


def _size(rows: int) -> str:
    above = "n"
    for number, name in enumerate(_SIZES):
        if rows < 1000 * 10**number:
            return f"{above}<{name}" if above == "n" else f"{above}<n<{name}"
        above = name
    return "n>1T"


# -- what a reader wants to know -----------------------------------------------------------------------------------------


def _words(manifest: dict[str, Any], place: str, licence: Any) -> str:
    version, kind, shards = manifest["version"], manifest["kind"], manifest["shards"]
    size = counted_bytes(sum(shard["bytes"] for shard in shards))
    lines = [
        f"A table of kind `{kind}`: {manifest['rows']:,} rows in version v{version}, {counted(len(shards), 'file')} of Parquet, {size}."
        + ("" if manifest["rows"] else " It has no kept rows; of such a split `load_dataset` makes a table with `streaming=True` only."),
        *(_meaning(manifest) if kind == "negatives" else []),
        *_steps(manifest),
        *_counts(manifest),
        *_examples(manifest),
        *_loading(version, place),
        *_again(manifest),
        "",
        "## Licence",
        "",
        f"{_code(_text(licence))}, as the YAML of this file says."
        if licence is not None
        else "Not stated. The texts stay under the licence of their source; whoever publishes them says so with `license:` in the YAML.",
    ]
    return "\n".join(lines)


def _meaning(manifest: dict[str, Any]) -> list[str]:
    """What a negative is here, and what of it was proven."""
    stages = manifest["stages"]
    asked = [name for stage in stages for name in stage.get("verifiers", [])]
    asked += [stage["stage"].partition(" ")[2] for stage in stages if stage["stage"].startswith("verify ")]
    vetoed = sum(sum(stage.get("counts", {}).get("vetoed", {}).values()) for stage in stages)
    lines = [
        "",
        "## What a negative is",
        "",
        "A row has an `anchor`, its `positive`, which is right, and a `negative`, which looks right and is meant to be wrong. "
        "`evidence` says why that may be believed; `operator`, `options_digest`, `seed` and `source_id` say where the row came from.",
        "",
    ]
    if not asked:
        return [*lines, "**Nothing was verified**: some of the negatives may be right."]
    names = ", ".join(_code(name) for name in dict.fromkeys(asked))
    lines.append(
        f"What was proven: {names} looked at the candidates. "
        + (f"{counted(vetoed, 'candidate')} turned out to be right and took no place. " if vetoed else "")
        + "What was not proven: that a negative is wrong. It was not found among what is known to be right, no more."
    )
    return lines


def _steps(manifest: dict[str, Any]) -> list[str]:
    """The stages, with the options that change rows."""
    rows = []
    for stage in manifest["stages"]:
        counts = stage.get("counts", {})
        lost = ", ".join(f"{_code(name)} {number:,}" for name, number in counts.get("dropped", {}).items() if name != "before")
        options = " ".join(_flags(stage, named=False))
        rows.append([_code(stage["stage"]), _code(options, 200) if options else "", str(counts.get("kept", "")), lost])
    made = f"Made {_text(manifest['created'])[:10]} with negforge {_text(manifest.get('tool', {}).get('negforge'))}."
    return ["", "## How it was made", "", made, "", *_table(["stage", "options", "rows kept", "dropped"], rows)] if rows else []


def _flags(stage: dict[str, Any], *, named: bool) -> list[str]:
    """A stage's options as they are typed. named: tables at the side by a placeholder, and not by the digest of their content."""
    found = []
    verb, _, operator = stage["stage"].partition(" ")
    known = registry.operators(verb).get(operator) if verb in registry.VERBS else None
    fixed = known.declared.get("fixed", {}) if known is not None else {}  # on record, and no option
    more = {name: stage[name] for name in ("rename", "max_bad_rows", "limit", "seed") if stage.get(name)}
    for name, value in {**stage.get("options", {}), **more}.items():
        flag = f"--{name.replace('_', '-')}"
        if name in fixed:
            found += [] if named else [f"{name}={_text(value)}"]
            continue
        if isinstance(value, bool):
            found.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value):
            found.append(f"{flag} {name.upper() if named else value[:8]}")
        elif value is not None:
            found += [f"{flag} {shlex.quote(_text(one))}" for one in (value if isinstance(value, list) else [value])]
    found += ["--below-bar"] if stage.get("below_bar") else []
    return [*found, *(["--no-verify"] if stage.get("verifiers") == [] else [])]


def _counts(manifest: dict[str, Any]) -> list[str]:
    contents, dropped = manifest.get("contents", {}), manifest["dropped"]
    lines = ["", "## Counts", ""]
    for title, names in (("labels", ["operator", "label"]), ("evidence", ["evidence"])):
        if contents.get(title):
            lines += [*_table([*names, "rows"], _counted(contents[title], names)), ""]
    away = dropped["rows"] + dropped["other_labels"]
    where = "were not published" if dropped.get("left_out") else f"lie in `.negforge/v{manifest['version']}/dropped`, each with its reason"
    lines.append(
        f"{counted(dropped['rows'], 'row')} dropped, and {dropped['other_labels']:,} of another label"
        + (f": they {where}; `load_dataset` does not read them." if away else ".")
    )
    if contents.get("drops"):
        lines += ["", *_table(["dropped by", "reason", "rows"], _counted(contents["drops"], ["by", "reason"]))]
    if told := contents.get("giveaway"):
        lines += [
            "",
            "How many of a sample's negatives a model tells from their positives without the anchor, by one thing alone; 0.5 is chance:",
            "",
            *_table(
                ["operator", "rows", "length", "words", "cue words"],
                [
                    [
                        _code(_text(one.get("operator", "all"))),
                        f"{one['rows']:,}",
                        *(f"{one[name]:.2f}" for name in ("length", "words", "cues")),
                    ]
                    for one in told
                ],
            ),
        ]
    return lines


def _counted(entries: list[dict[str, Any]], names: list[str]) -> list[list[str]]:
    rows = [[*(_code(_text(entry[name])) for name in names), f"{entry['rows']:,}"] for entry in entries[:_MOST_LINES]]
    rest = entries[_MOST_LINES:]
    more = [f"{len(rest):,} more", *[""] * (len(names) - 1), f"{sum(entry['rows'] for entry in rest):,}"]
    return [*rows, *([more] if rest else [])]


def _examples(manifest: dict[str, Any]) -> list[str]:
    examples = manifest.get("contents", {}).get("examples")
    if not examples:
        return []
    width = max(len(name) for example in examples for name in example)
    told = [[f"{name:<{width}}  {_clean(_text(value), _TEXT_CHARACTERS)}" for name, value in one.items()] for one in examples]
    return ["", "## Examples", "", *_fenced("text", "\n\n".join("\n".join(one) for one in told))]


def _loading(version: int, place: str) -> list[str]:
    at = f', revision="v{version}"' if place else ""
    folder = f"hf://datasets/{place}" if place else "PATH"
    code = [
        "from datasets import load_dataset",
        "",
        f'newest = load_dataset("{place or "PATH"}", split="train")',
        f'this_one = load_dataset("{place or "PATH"}", "v{version}", split="train"{at})',
        "",
        "import polars as pl",
        "",
        f'frame = pl.read_parquet("{folder}/data/v{version}/*.parquet")',
    ]
    return ["", "## Loading", "", *_fenced("python", "\n".join(code))]


def _again(manifest: dict[str, Any]) -> list[str]:
    """The commands that make the version again, where its stages follow one on the other."""
    stages = manifest["stages"]
    readers = [stage for stage in stages if stage["stage"].startswith("ingest ")]
    # A foreign file's metadata may say anything; this is there to be pasted into a shell.
    if not all(
        re.fullmatch(r"[a-z]+ [a-z0-9.-]+", stage["stage"]) and all(map(_PLAIN.fullmatch, stage.get("options", {}))) for stage in stages
    ):
        return []
    if not stages or len(readers) > 1 or readers[:1] not in ([], stages[:1]) or any(" " not in stage["stage"] for stage in stages):
        return []
    commands = [["negforge", stage["stage"], *_flags(stage, named=True)] for stage in stages]
    commands[0].insert(2, "INPUT")
    commands[-1] += [*(f"--keep-labels {shlex.quote(_text(label))}" for label in manifest["keep_labels"]), "-o DIR"]
    told = f"From the same tables, with negforge {_text(manifest.get('tool', {}).get('negforge'))}, this gives the `rows_digest` "
    lines = " \\\n  | ".join(" ".join(command) for command in commands)
    return ["", "## Making it again", "", f"{told}{_code(_text(manifest['digests'].get('rows_digest')))}:", "", *_fenced("sh", lines)]


# -- Markdown ------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return ", ".join(map(_text, value)) if isinstance(value, list) else "" if value is None else str(value)


def _clean(text: str, most: int) -> str:
    """Text of one line that steers nothing, neither a terminal nor what reads this card for its block; cut after `most`."""
    text = printable(" ".join(text[: most * 4].split())).replace("<!--", "<! --")
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def _code(text: str, most: int = _NAME_CHARACTERS) -> str:
    """Text as code, which may stand in a table."""
    text = _clean(text, most).replace("`", "'").replace("|", "\u00a6")
    return f"`{text}`" if text else ""


def _fenced(language: str, text: str) -> list[str]:
    """Lines of code behind a fence that none of them closes."""
    text = "\n".join(map(printable, text.replace("<!--", "<! --").split("\n")))
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, text, fence]


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _with_block(body: str, block: str) -> str:
    block = f"{_BEGIN}\n{block}\n{_END}"
    if _BEGIN in body and _END in body:
        before, _, rest = body.partition(_BEGIN)
        return before + block + rest.partition(_END)[2]
    return f"{body.rstrip()}\n\n{block}\n"


def _split_card(text: str) -> tuple[str, dict[str, list[Any]], str]:
    """A card's YAML as a person wrote it, without our keys; the entries of these that are not ours; and the text below.

    YAML that cannot be parsed goes below, where it harms nobody and is not lost.
    """
    import yaml

    match = re.match(r"---\n(.*?)^---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if match is None:
        return "", {key: [] for key in _OURS}, text
    front, ours = "", False
    # Tags are ours to the letter, or a person's.
    for line in match[1].replace(yaml.safe_dump({"tags": _TAGS}), "").splitlines(keepends=True):
        if re.match(r"[^\s#\]}-]", line):  # a key, and not its value
            ours = re.match(rf"({'|'.join(_OURS)})\s*:", line) is not None
        if not ours or line.startswith("#"):
            front += line
    body = text[match.end() :]
    try:
        whole, rest = (yaml.safe_load(part) or {} for part in (match[1], front))
    except yaml.YAMLError:
        whole = rest = None
    if not isinstance(whole, dict) or not isinstance(rest, dict):
        return "", {key: [] for key in _OURS}, f"\n```yaml\n{front}```\n{body}"
    lists = {key: whole[key] if isinstance(whole.get(key), list) else [] for key in ("configs", "dataset_info")}
    own = {key: [entry for entry in entries if _is_own(entry)] for key, entries in lists.items()}
    for entry in own["configs"]:
        entry.pop("default", None)  # ours is
    return front, own, body


def _is_own(entry: Any) -> bool:
    return isinstance(entry, dict) and re.fullmatch(r"v[0-9]+", str(entry.get("config_name"))) is None


def feature(field: pa.Field) -> dict[str, Any]:
    """A column as the card's `dataset_info` writes it."""
    return {"name": field.name, **_feature_type(field.type)}


def _feature_type(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature_type(kind.value_type)
        return {"list": inner["dtype"] if "dtype" in inner else inner.get("struct", inner)}
    if pa.types.is_struct(kind):
        return {"struct": [feature(field) for field in kind]}
    names = {"double": "float64", "float": "float32", "halffloat": "float16", "date32[day]": "date32"}
    return {"dtype": names.get(str(kind), str(kind))}
