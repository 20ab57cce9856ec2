"""What is generated matches the code."""

from __future__ import annotations

import tomllib

import jsonschema
import pytest

from negforge.generated import schemas, with_operator_table, with_validity_table
from negforge.records import KINDS
from tests.conftest import ROOT


def test_the_committed_schemas_are_those_of_the_code() -> None:
    """No drift: `make generated` would change nothing, and nothing else lies there."""
    folder = ROOT / "schemas"
    assert {path.name for path in folder.glob("*.json")} == set(schemas())
    for name, text in schemas().items():
        assert (folder / name).read_text(encoding="utf-8") == text, f"run make generated: {name}"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_schema_is_a_schema(name: str) -> None:
    """Each is valid JSON Schema and names the required columns."""
    schema = KINDS[name].json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == list(KINDS[name].required)


def test_the_shipped_pipelines_fit_the_schema() -> None:
    """Every recipe in `pipelines/` validates."""
    import json

    schema = json.loads(schemas()["pipeline.json"])
    paths = sorted((ROOT / "pipelines").glob("*.toml"))
    assert paths
    for path in paths:
        jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema)


def test_the_readme_lists_every_operator() -> None:
    """The operator table of the README is the generated one."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_operator_table(text) == text, "run make generated"


def test_the_readme_says_what_was_judged() -> None:
    """So is the table of validity, with a line for every operator that has a judged sample."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_validity_table(text, ROOT / "tests" / "judged") == text, "run make generated"
    assert all(f"| `{path.stem}` |" in text for path in (ROOT / "tests" / "judged").glob("*.jsonl"))
