"""A dataset's card: its README, with what `load_dataset` needs in YAML and, below, what a reader wants to know."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

KEEP = "surrogateescape"  # bytes of a person's card that are no UTF-8 stay as they are
_BEGIN, _END = "<!-- negforge: begin -->", "<!-- negforge: end -->"


def card_text(name: str, manifests: list[dict[str, Any]], old: str) -> str:
    """The dataset's README: `configs` and true `dataset_info` for every version, and what it is; a person's own words stay.

    manifests: ascending. Without one the card names the version to come, so that loading fails until it is there.
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
    ours = {"configs": configs + own["configs"], "dataset_info": infos + own["dataset_info"]}
    front += yaml.safe_dump({key: value for key, value in ours.items() if value}, sort_keys=False, allow_unicode=True, width=120)
    summary = _summary(manifests[-1]) if manifests else "There is no version yet: its writer is at work, or died."
    return f"---\n{front}---\n" + _with_block(body if body.strip() else f"\n# {name}\n", summary)


def _summary(manifest: dict[str, Any]) -> str:
    version, rows, dropped = manifest["version"], manifest["rows"], manifest["dropped"]
    lines = [
        f"A table of kind `{manifest['kind']}`: {rows:,} rows in version v{version}."
        + ("" if rows else " It has no kept rows; of such a split `load_dataset` makes a table with `streaming=True` only."),
        f"Dropped rows, each with its reason, lie in `.negforge/v{version}/dropped`: {dropped['rows']:,}; "
        f"rows of another label beside them: {dropped['other_labels']:,}.",
        "",
        "| stage | version | seed | counts |",
        "|---|---|---|---|",
    ]
    for stage in manifest["stages"]:
        counts = ", ".join(f"{key} {value}" for key, value in stage.get("counts", {}).items() if not isinstance(value, dict))
        lines.append(f"| `{stage['stage']}` | {stage['version']} | {stage.get('seed', '')} | {counts} |")
    lines += [
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'newest = load_dataset("PATH", split="train")',
        f'this_one = load_dataset("PATH", "v{version}", split="train")',
        "```",
    ]
    return "\n".join(lines)


def _with_block(body: str, block: str) -> str:
    block = f"{_BEGIN}\n{block}\n{_END}"
    if _BEGIN in body and _END in body:
        before, _, rest = body.partition(_BEGIN)
        return before + block + rest.partition(_END)[2]
    return f"{body.rstrip()}\n\n{block}\n"


def _split_card(text: str) -> tuple[str, dict[str, list[Any]], str]:
    """A card's YAML as a person wrote it, without our two keys; the entries of these that are not ours; and the text below.

    YAML that cannot be parsed goes below, where it harms nobody and is not lost.
    """
    import yaml

    match = re.match(r"---\n(.*?)^---[ \t]*(?:\n|\Z)", text, re.DOTALL | re.MULTILINE)
    if match is None:
        return "", {"configs": [], "dataset_info": []}, text
    front, ours = "", False
    for line in match[1].splitlines(keepends=True):
        if re.match(r"[^\s#\]}-]", line):  # a key, and not its value
            ours = re.match(r"(configs|dataset_info)\s*:", line) is not None
        if not ours or line.startswith("#"):
            front += line
    body = text[match.end() :]
    try:
        whole, rest = (yaml.safe_load(part) or {} for part in (match[1], front))
    except yaml.YAMLError:
        whole = rest = None
    if not isinstance(whole, dict) or not isinstance(rest, dict):
        return "", {"configs": [], "dataset_info": []}, f"\n```yaml\n{front}```\n{body}"
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
