"""sentence-transformers trains on what was exported: the batch the trainer received holds our texts, in place."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge

pytestmark = pytest.mark.trainer
sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the `trainers` group")
TWO_STEPS: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "max_steps": 2,
    "report_to": "none",
    "save_strategy": "no",
    "disable_tqdm": True,
    "seed": 1,
    "use_cpu": True,
}


def words(text: str) -> list[str]:
    """The words the tiny tokenizer makes of a text."""
    return text.lower().split()


def tiny_model(texts: list[str]) -> Any:
    """A real trainable model with random weights: a table of vectors, one for each word of the texts."""
    import tokenizers
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(["[UNK]", *(word for text in texts for word in words(text))]))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return sentence_transformers.SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def received(features: list[dict[str, Any]], tokenizer: Any) -> list[list[list[str]]]:
    """The texts, as words, that each column of a batch holds."""
    columns = []
    for feature in features:
        ids, starts = feature["input_ids"].tolist(), [*feature["offsets"].tolist(), len(feature["input_ids"])]
        columns.append([[tokenizer.id_to_token(one) for one in ids[start:end]] for start, end in itertools.pairwise(starts)])
    return columns


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory, pairs: pl.DataFrame, corpus: pl.DataFrame) -> Path:
    """A dataset of mined negatives."""
    folder = tmp_path_factory.mktemp("mined") / "data"
    negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3, output=str(folder))
    return folder


@pytest.mark.parametrize("options", [{}, {"layout": "n-tuple", "n": 3}], ids=["triplet", "n-tuple"])
def test_a_training_step_receives_anchor_positive_and_negatives_in_place(
    mined: Path, tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Column by column, the first batch holds the anchor, the positive and the negatives of our rows, and the step changes the weights."""
    import datasets
    import torch
    from sentence_transformers.sentence_transformer import losses

    monkeypatch.setenv("WANDB_DISABLED", "true")
    folder = tmp_path / "st"
    negforge.run("export sentence-transformers", str(mined), **options, output=str(folder))
    train = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    table = train.to_polars()
    model = tiny_model([text for row in table.rows() for text in row])
    tokenizer = model[0].tokenizer
    seen: list[list[list[list[str]]]] = []

    class Loss(losses.MultipleNegativesRankingLoss):  # type: ignore[misc]
        """The real loss, keeping what it was given."""

        def forward(self, sentence_features: Any, labels: Any) -> Any:
            features = list(sentence_features)
            seen.append(received(features, tokenizer))
            return super().forward(features, labels)

    before = model[0].embedding.weight.detach().clone()
    arguments = sentence_transformers.SentenceTransformerTrainingArguments(output_dir=str(tmp_path / "run"), **TWO_STEPS)
    trainer = sentence_transformers.SentenceTransformerTrainer(model=model, args=arguments, train_dataset=train, loss=Loss(model))
    trainer.train()
    rows = {tuple(tuple(words(text)) for text in row) for row in table.rows()}
    assert len(seen) == 2
    for batch in seen:
        assert len(batch) == len(table.columns)
        given = {tuple(tuple(column[place]) for column in batch) for place in range(len(batch[0]))}
        assert len(given) == 4
        assert given <= rows
    assert not torch.equal(before, model[0].embedding.weight)


def test_a_dataset_of_ours_is_read_as_it_is(mined: Path, tmp_path: Path) -> None:
    """Without an export, the versioned folder itself gives its texts to the trainer by name."""
    import datasets

    loaded = datasets.load_dataset(str(mined), split="train", cache_dir=str(tmp_path / "cache"))
    assert set(loaded.unique("label")) == {"negative"}
    train = loaded.select_columns(["anchor", "positive", "negative"])
    assert train.column_names == ["anchor", "positive", "negative"]


def tiny_reranker(folder: Path, texts: list[str]) -> Any:
    """A real CrossEncoder with random weights: a BERT of one layer over the words of the texts."""
    import tokenizers
    import transformers

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*names, *(word for text in texts for word in words(text))]))}
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    raw.normalizer = tokenizers.normalizers.Lowercase()
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    special = {f"{name[1:-1].lower()}_token": name for name in names}
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **special).save_pretrained(folder)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 1}
    config = transformers.BertConfig(vocab_size=len(vocabulary), max_position_embeddings=256, **shape)
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return sentence_transformers.CrossEncoder(str(folder), device="cpu", max_length=128)


@pytest.mark.parametrize(
    ("options", "loss"),
    [
        ({"layout": "labeled-pair"}, "BinaryCrossEntropyLoss"),
        ({"layout": "labeled-list", "n": 2}, "LambdaLoss"),
        ({"layout": "labeled-list"}, "ListNetLoss"),
        ({"layout": "labeled-pair", "scores": "score_bm25"}, "MSELoss"),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(map(str, one.values())),
)
def test_a_reranker_receives_texts_and_labels_in_place(
    mined: Path, tmp_path: Path, options: dict[str, Any], loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch that a CrossEncoder's loss is given holds our anchors, texts and labels, row for row, and the step changes the weights."""
    import datasets
    import torch
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments, losses

    monkeypatch.setenv("WANDB_DISABLED", "true")
    source = tmp_path / "scored.parquet"
    rows = pl.concat([pl.read_parquet(path) for path in sorted((mined / "data" / "v1").glob("*.parquet"))])
    rows.with_columns((pl.col("score_bm25") + 1).alias("score_bm25_positive")).write_parquet(source)
    folder = tmp_path / "st"
    negforge.run("export sentence-transformers", str(source), **options, output=str(folder))
    train = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    table = train.to_polars()
    one, text, label = table.columns
    torch.manual_seed(1)
    model = tiny_reranker(tmp_path / "model", [*table[one], *table[text].explode()])
    seen: list[tuple[Any, Any]] = []
    kind = getattr(losses, loss)

    class Loss(kind):  # type: ignore[misc,valid-type]
        """The real loss, keeping what it was given."""

        def forward(self, inputs: Any, labels: Any, **more: Any) -> Any:
            seen.append((inputs, [row.tolist() for row in labels]))
            return super().forward(inputs, labels, **more)

    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    arguments = CrossEncoderTrainingArguments(output_dir=str(tmp_path / "run"), **TWO_STEPS)
    CrossEncoderTrainer(model=model, args=arguments, train_dataset=train, loss=Loss(model)).train()
    assert sum(len(labels) for _, labels in seen) == 8
    rows_of = {(str(row[one]), str(row[text])): row[label] for row in table.to_dicts()}
    for (anchors, texts), labels in seen:
        assert labels == [pytest.approx(rows_of[str(anchor), str(given)]) for anchor, given in zip(anchors, texts, strict=True)]
    assert any(not torch.equal(before[name], weight) for name, weight in model.named_parameters())
