"""Writes what is generated from the code: the JSON Schemas in `schemas/`, the operator table in README.md, and what judged samples say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from negforge.auditing import SHIPPED, audited
from negforge.pipeline import json_schema
from negforge.records import KINDS
from negforge.registry import our_operators

TABLE_BEGIN, TABLE_END = "<!-- operators: begin -->", "<!-- operators: end -->"


def schemas() -> dict[str, str]:
    """File name and text of every schema: a row of each record kind, and a pipeline file."""
    found = {f"{name}.json": kind.json_schema() for name, kind in KINDS.items()}
    found["pipeline.json"] = json_schema()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in found.items()}


def with_operator_table(readme: str) -> str:
    """The README with its operator table made anew."""
    before, _, rest = readme.partition(TABLE_BEGIN)
    after = rest.partition(TABLE_END)[2]
    rows = [f"| `{one.title}` | {one.summary} |" for one in our_operators()]
    table = "\n".join(["| operator | what it does |", "|---|---|", *rows])
    return f"{before}{TABLE_BEGIN}\n{table}\n{TABLE_END}{after}"


def main(root: Path) -> None:
    """Write the files that changed."""
    wanted = {root / "schemas" / name: text for name, text in schemas().items()}
    wanted[root / "README.md"] = with_operator_table((root / "README.md").read_text(encoding="utf-8"))
    wanted[root / "negforge" / SHIPPED] = json.dumps(audited(root / "tests" / "judged"), indent=1, ensure_ascii=False) + "\n"
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
