"""Croissant, the metadata of a dataset as JSON-LD for search engines and loaders, made of a manifest alone.

Source: the Croissant format specification 1.0, mlcommons.org/croissant.
"""

from __future__ import annotations

import re
from typing import Any

from negforge.card import described, front_of

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_PARQUET = "application/x-parquet"


def croissant(manifest: dict[str, Any], *, name: str, card: str = "", url: str = "", revision: str = "main") -> dict[str, Any]:
    """The JSON-LD of a version: each shard with its size and sha256, and the columns of its rows.

    card: the dataset's README, whose YAML may state a licence. url: of the repository that the version lies in; without one,
    the shards' addresses are paths in the dataset folder.
    """
    version = manifest["version"]
    licence = front_of(card).get("license")
    resolve = f"{url}/resolve/{revision}/" if url else ""
    shards = [
        {
            "@type": "cr:FileObject",
            "@id": shard["path"],
            "name": shard["path"],
            "contentUrl": resolve + shard["path"],
            "contentSize": f"{shard['bytes']} B",
            "encodingFormat": _PARQUET,
            "sha256": shard["sha256"],
        }
        for shard in manifest["shards"]
    ]
    rows = f"v{version}"
    found = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": re.sub(r"[^\w.-]+", "-", name),
        "description": described(manifest),
        "version": f"{version}.0.0",
        "datePublished": manifest["created"],
        "keywords": ["hard negatives", "negforge"],
        **({"url": url} if url else {}),
        **({"license": licence} if isinstance(licence, str | list) else {}),
        "distribution": shards,
    }
    source: dict[str, Any] = {"fileObject": {"@id": shards[0]["@id"]}}
    if len(shards) > 1:
        # Contained in no archive: its files lie beside this document.
        parts = {"@type": "cr:FileSet", "@id": "shards", "name": "shards", "encodingFormat": _PARQUET}
        found["distribution"] = [*shards, {**parts, "includes": f"data/v{version}/*.parquet"}]
        source = {"fileSet": {"@id": "shards"}}
    fields = [_field(f"{rows}/{column['name']}", column, source, [column["name"]]) for column in manifest["columns"]]
    found["recordSet"] = [{"@type": "cr:RecordSet", "@id": rows, "name": rows, "description": "One row a negative.", "field": fields}]
    return found


def _field(name: str, feature: dict[str, Any], source: dict[str, Any], column: list[str]) -> dict[str, Any]:
    """A column, or a part of one: a list is repeated, a record has fields below. column: its name, then those of its parts."""
    inner, repeated = feature, {}
    while "list" in inner:
        given = inner["list"]
        inner = {"dtype": given} if isinstance(given, str) else {"struct": given} if isinstance(given, list) else given
        repeated = {"repeated": True}
    taken = {"extract": {"column": column[0]}} | ({"transform": {"jsonPath": ".".join(column[1:])}} if column[1:] else {})
    field = {"@type": "cr:Field", "@id": name, "name": column[-1], **repeated, "source": {**source, **taken}}
    if "struct" in inner:
        below = [_field(f"{name}/{part['name']}", part, source, [*column, part["name"]]) for part in inner["struct"]]
        return {**field, "subField": below}
    return {**field, "dataType": _type(inner["dtype"])}


def _type(name: str) -> str:
    for start, found in (
        (r"u?int", "sc:Integer"),
        ("float|decimal", "sc:Float"),
        ("bool", "sc:Boolean"),
        ("date", "sc:Date"),
        ("timestamp", "sc:DateTime"),
    ):
        if re.match(start, name):
            return found
    return "sc:Text"
