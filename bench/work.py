"""What the children do: each function is one measure, and prints how many CPU seconds its work took, imports apart."""

from __future__ import annotations

import json
import random
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def make_pairs(folder: str, path: str, rows: int, sentences: int = 1) -> dict[str, Any]:
    """Write pairs."""
    from bench import texts

    texts.write_pairs(Path(folder), Path(path), rows, sentences=sentences)
    return {"mib": Path(path).stat().st_size >> 20}


def make_negatives(folder: str, path: str, rows: int, sentences: int = 1) -> dict[str, Any]:
    """Write negatives."""
    from bench import texts

    texts.write_negatives(Path(folder), Path(path), rows, sentences=sentences)
    return {}


def make_planted(folder: str, path: str, rows: int) -> dict[str, Any]:
    """Write negatives with planted copies."""
    from bench import texts

    texts.write_planted(Path(folder), Path(path), rows)
    return {}


def near(folder: str) -> dict[str, Any]:
    """`dedupe near` in memory, without what reads and writes rows: keys of batches, then the decisions."""
    import tempfile

    import polars as pl

    from negforge.dedupe import near as operator
    from negforge.records import Negatives

    given = pl.read_parquet(Path(folder) / "planted.parquet").select("id", negative="text", anchor_id="id", label=pl.lit("negative"))
    given = given.with_columns(draw=pl.lit(0, pl.Int64), positive=pl.lit("a positive"))
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        begun = time.process_time()
        narrow, done = [], 0
        for batch in given.iter_slices(50_000):
            narrow.append(operator.keys(Negatives(batch), language="en", within="table").with_columns(pl.col("row") + done))
            done += batch.height
        keyed = time.process_time() - begun
        lost = pl.concat([*operator.dedupe(Negatives(reader=lambda _: iter(narrow)), Path(scratch))])
        cpu = time.process_time() - begun
    given[lost["row"].to_numpy()].select("id").write_parquet(Path(folder) / "lost.parquet")
    return {"cpu_seconds": cpu, "keys_seconds": keyed}


def rensa(folder: str, bands: int, threshold: float) -> dict[str, Any]:
    """The deduplicator of rensa on the same texts and the same threshold: sets of three lower-cased words in a row, 128 slots."""
    import polars as pl
    import rensa as engine

    given = pl.read_parquet(Path(folder) / "planted.parquet")
    ids, texts = given["id"].to_list(), given["text"].to_list()

    def shingles(text: str) -> list[str]:
        words = text.lower().split()
        return [" ".join(three) for three in zip(words, words[1:], words[2:], strict=False)]

    begun = time.process_time()
    found = engine.RMinHashDeduplicator(threshold=threshold, num_perm=128, use_lsh=True, num_bands=bands or None)
    kept = found.add_pairs((name, shingles(text)) for name, text in zip(ids, texts, strict=True))
    cpu = time.process_time() - begun
    given.filter(~pl.Series(kept)).select("id").write_parquet(Path(folder) / "lost.parquet")
    return {"cpu_seconds": cpu}


def plain_size(path: str) -> dict[str, Any]:
    """The size of a Parquet file's rows before compression."""
    import pyarrow.parquet as pq

    groups = pq.ParquetFile(path).metadata
    return {"mib": sum(groups.row_group(number).total_byte_size for number in range(groups.num_row_groups)) / (1 << 20)}


def make_corpus(folder: str, passages: str, pairs: str, rows: int, queries: int) -> dict[str, Any]:
    """Write passages of about 55 words, and pairs that ask for some: half a sentence of each in another order."""
    import polars as pl

    from bench import texts
    from negforge.records import CORPUS, PAIRS
    from negforge.sinks import FileSink

    frame = pl.concat([*texts.frames(Path(folder), rows, sentences=5)])
    sink = FileSink(CORPUS, Path(passages), clustered=False)
    sink.write(frame.select("id", text="positive"))
    sink.finish([], {})
    asked = frame.gather_every(rows // queries).head(queries)
    words = asked["positive"].str.split(" ").list.slice(0, 40).list.gather_every(4).list.join(" ")
    sink = FileSink(PAIRS, Path(pairs), clustered=False)
    twice = (pl.col("id").alias(name) for name in ("anchor_id", "positive_id"))
    sink.write(asked.select("id", "positive", words.alias("anchor"), *twice))
    sink.finish([], {})
    return {}


def operator(pairs: str, which: str = "perturb.number") -> dict[str, Any]:
    """An operator in memory, batch by batch: candidates, ids and lineage, without verifiers or files; what it reads once is read."""
    import polars as pl

    from negforge import registry
    from negforge.generating import Generation, generate_batch
    from negforge.options import Settings
    from negforge.prepared import prepare

    found = registry.find("generate", which)
    generation = Generation(prepare(found, {}, Settings(), {}, Path(), 0), ())
    frame = pl.read_parquet(pairs)
    generate_batch(generation, frame.head(100))
    kept, begun = 0, time.process_time()
    for batch in frame.iter_slices(Settings().batch_size):
        kept += generate_batch(generation, batch)[1].kept
    return {"cpu_seconds": time.process_time() - begun, "kept": kept, "rows": frame.height}


def tagger(pairs: str) -> dict[str, Any]:
    """The bare light tagger on all positives."""
    import polars as pl

    from negforge.tagging import tagged

    texts = pl.read_parquet(pairs)["positive"]
    tagged(texts.head(10))
    begun = time.process_time()
    tagged(texts)
    return {"cpu_seconds": time.process_time() - begun}


def nlpaug(pairs: str, augmenter: str) -> dict[str, Any]:
    """One of nlpaug's augmenters on the positives, as a list in one call, the faster of its two ways."""
    import numpy as np
    import polars as pl

    warnings.simplefilter("ignore")
    from nlpaug.augmenter import char, word

    makers = {
        "RandomWordAug delete": lambda: word.RandomWordAug(action="delete"),
        "RandomWordAug crop": lambda: word.RandomWordAug(action="crop"),
        "RandomWordAug substitute": lambda: word.RandomWordAug(action="substitute"),
        "ReservedAug numbers": lambda: word.ReservedAug(reserved_tokens=[[str(number) for number in range(12, 1000)]]),
        "RandomCharAug delete": lambda: char.RandomCharAug(action="delete"),
    }
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - nlpaug knows no other
    given = pl.read_parquet(pairs)["positive"].to_list()
    augment = makers[augmenter]().augment
    augment(given[:10])
    begun = time.process_time()
    made = augment(given)
    cpu = time.process_time() - begun
    return {"cpu_seconds": cpu, "changed": sum(one != other for one, other in zip(made, given, strict=True)), "rows": len(given)}


def bare_parquet(pairs: str, made: str) -> dict[str, Any]:
    """Read the input, write the rows of the output, kept and dropped, with the codec the tool uses."""
    import io

    import pyarrow.parquet as pq

    paths = [Path(made), Path(made).with_suffix(".dropped.parquet")]
    tables = [pq.read_table(path) for path in paths if path.exists()]
    begun = time.process_time()
    pq.read_table(pairs)
    for table in tables:
        pq.write_table(table, io.BytesIO(), compression="zstd")
    return {"cpu_seconds": time.process_time() - begun}


def tantivy(passages: str, pairs: str, folder: str, depth: int) -> dict[str, Any]:
    """Bare tantivy: index, then the best `depth` row numbers of each query."""
    import polars as pl
    import tantivy as engine

    given, asked = pl.read_parquet(passages)["text"].to_list(), pl.read_parquet(pairs)["anchor"].to_list()
    begun = time.process_time()
    fields = engine.SchemaBuilder().add_text_field("body", stored=False, tokenizer_name="words", index_option="freq")
    schema = fields.add_unsigned_field("row", stored=False, indexed=False, fast=True).build()
    splitter = engine.TextAnalyzerBuilder(engine.Tokenizer.simple()).filter(engine.Filter.lowercase()).build()
    index = engine.Index(schema, path=folder)
    index.register_tokenizer("words", splitter)
    writer = index.writer(heap_size=64_000_000, num_threads=1)
    for row, text in enumerate(given):
        document = engine.Document()
        document.add_text("body", text)
        document.add_unsigned("row", row)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    indexed = time.process_time() - begun
    searcher = index.searcher()
    found = 0
    for text in asked:
        terms = [(engine.Occur.Should, engine.Query.term_query(schema, "body", one)) for one in splitter.analyze(text)]
        hits = searcher.search(engine.Query.boolean_query(terms), limit=depth, count=False).hits
        found += len(searcher.fast_field_values("row", [address for _, address in hits]))
    return {"cpu_seconds": time.process_time() - begun, "index_seconds": indexed, "found": found}


def bm25s(passages: str, pairs: str, depth: int) -> dict[str, Any]:
    """Bare bm25s: tokenise, index, then the best `depth` row numbers of each query."""
    import bm25s as engine
    import polars as pl

    given, asked = pl.read_parquet(passages)["text"].to_list(), pl.read_parquet(pairs)["anchor"].to_list()
    begun = time.process_time()
    rule = {"stopwords": [], "token_pattern": r"[^\W_]+", "show_progress": False}
    index = engine.BM25(method="lucene", k1=1.2, b=0.75)
    index.index(engine.tokenize(given, **rule), show_progress=False)
    indexed = time.process_time() - begun
    rows, _ = index.retrieve(engine.tokenize(asked, **rule), k=depth, show_progress=False)
    return {"cpu_seconds": time.process_time() - begun, "index_seconds": indexed, "found": int(rows.size)}


def make_vectors(folder: str, rows: int, queries: int, dimensions: int, kind: str = "float32") -> dict[str, Any]:
    """A corpus, pairs that ask for some of it, and vectors of both: in clusters, each anchor near its positive, as an encoder has them."""
    import numpy as np
    import polars as pl

    place, draw = Path(folder), np.random.default_rng(7)
    themes = draw.standard_normal((max(2, rows // 50), dimensions)).astype(np.float32)
    texts = np.lib.format.open_memmap(place / "corpus.npy", mode="w+", dtype=kind, shape=(rows, dimensions))
    for start in range(0, rows, 1 << 16):
        some = min(1 << 16, rows - start)
        texts[start : start + some] = themes[draw.integers(0, len(themes), some)] + 0.8 * draw.standard_normal((some, dimensions))
    texts.flush()
    chosen = draw.permutation(rows)[:queries]
    anchors = texts[chosen].astype(np.float32) + 0.9 * draw.standard_normal((queries, dimensions)).astype(np.float32)
    np.save(place / "anchors.npy", anchors)
    ids = [f"d{number:08d}" for number in range(rows)]
    names = [f"q{number:07d}" for number in range(queries)]
    words = [f"passage number {number}" for number in range(rows)]
    pl.DataFrame({"id": ids, "text": words}).write_parquet(place / "vector-corpus.parquet")
    right = {"positive": [words[one] for one in chosen], "positive_id": [ids[one] for one in chosen]}
    pairs = pl.DataFrame({"id": names, "anchor_id": names, "anchor": [f"query number {number}" for number in range(queries)], **right})
    pairs.write_parquet(place / "vector-pairs.parquet")
    for name, keys in (("corpus", ids), ("anchors", names)):
        (place / f"{name}.ids").write_text("\n".join(keys) + "\n", encoding="utf-8")
    return {}


def sentence_transformers(folder: str, num_negatives: int, relative_margin: float | None) -> dict[str, Any]:
    """Its `mine_hard_negatives` on vectors that are there: a model that only looks them up."""
    import contextlib
    import io

    import datasets
    import numpy as np
    import polars as pl
    from sentence_transformers.util import cos_sim, mine_hard_negatives, pairwise_cos_sim

    place = Path(folder)
    corpus, pairs = pl.read_parquet(place / "vector-corpus.parquet"), pl.read_parquet(place / "vector-pairs.parquet")

    class Stub:
        """Gives the vectors of the files."""

        device = "cpu"
        similarity, similarity_pairwise = staticmethod(cos_sim), staticmethod(pairwise_cos_sim)

        def encode_document(self, _: list[str], **__: Any) -> Any:
            """Those of the corpus."""
            return _scaled(np.load(place / "corpus.npy"))

        def encode_query(self, _: list[str], **__: Any) -> Any:
            """Those of the anchors."""
            return _scaled(np.load(place / "anchors.npy"))

    given = datasets.Dataset.from_dict({"anchor": pairs["anchor"].to_list(), "positive": pairs["positive"].to_list()})
    begun = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        made = mine_hard_negatives(
            given,
            Stub(),
            corpus=corpus["text"].to_list(),
            num_negatives=num_negatives,
            relative_margin=relative_margin,
            sampling_strategy="top",
            verbose=False,
        )
    return {"cpu_seconds": time.process_time() - begun, "rows": len(made)}


def _scaled(rows: Any) -> Any:
    import numpy as np

    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def hidden(**given: str) -> dict[str, Any]:
    """Right answers that come out as negatives, of a task and an encoder."""
    from bench.hidden import measured

    return measured(**given)


def training(**given: Any) -> dict[str, Any]:
    """A static model trained on exports that differ in their negatives alone."""
    from bench.training import measured

    return measured(**given)


def modules(line: list[str]) -> dict[str, Any]:
    """Run a line of the command, and say which modules it loaded."""
    import contextlib
    import io

    from negforge.cli import main

    sys.argv = ["negforge", *line]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
    return {"modules": sorted({name.partition(".")[0] for name in sys.modules})}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
