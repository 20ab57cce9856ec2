"""Writes what is generated from the code: the JSON Schemas in `schemas/`, tables of README.md, and what judged samples say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from negforge.auditing import SHIPPED, Share, audited, wilson
from negforge.pipeline import json_schema
from negforge.records import KINDS
from negforge.registry import our_operators

TABLE_BEGIN, TABLE_END = "<!-- operators: begin -->", "<!-- operators: end -->"
VALID_BEGIN, VALID_END = "<!-- validity: begin -->", "<!-- validity: end -->"


def schemas() -> dict[str, str]:
    """File name and text of every schema: a row of each record kind, and a pipeline file."""
    found = {f"{name}.json": kind.json_schema() for name, kind in KINDS.items()}
    found["pipeline.json"] = json_schema()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in found.items()}


def with_operator_table(readme: str) -> str:
    """The README with its operator table made anew."""
    rows = [f"| `{one.title}` | {one.summary} |" for one in our_operators()]
    return _between(readme, TABLE_BEGIN, TABLE_END, ["| operator | what it does |", "|---|---|", *rows])


def with_validity_table(readme: str, judged: Path) -> str:
    """The README with the table of what the judged samples of a folder say made anew."""
    known, rows = audited(judged), []
    for one in our_operators():
        if one.verb == "generate" and one.name in known:
            share, bar = Share(known[one.name]["judged"], known[one.name]["valid"]), one.declared.get("bar")
            low, high = wilson(share.good, share.judged)
            held = "" if not bar else f"{bar:g}" + (", off" if one.declared.get("below") else "")
            rows.append(f"| `{one.name}` | {share.good} of {share.judged} | {low:.3f} to {high:.3f} | {held} |")
    return _between(readme, VALID_BEGIN, VALID_END, ["| operator | valid | 95 % | bar |", "|---|---|---|---|", *rows])


def _between(readme: str, begin: str, end: str, lines: list[str]) -> str:
    before, _, rest = readme.partition(begin)
    return "\n".join([before + begin, *lines, end + rest.partition(end)[2]])


def main(root: Path) -> None:
    """Write the files that changed."""
    wanted = {root / "schemas" / name: text for name, text in schemas().items()}
    readme = with_operator_table((root / "README.md").read_text(encoding="utf-8"))
    wanted[root / "README.md"] = with_validity_table(readme, root / "tests" / "judged")
    wanted[root / "negforge" / SHIPPED] = json.dumps(audited(root / "tests" / "judged"), indent=1, ensure_ascii=False) + "\n"
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
