"""ms-swift's own code loads what was exported and encodes it: the tokens of each part are those of our texts. `pip install ms-swift==4.6.0`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import negforge
from tests.export.cases import rows_of, scored

pytestmark = pytest.mark.trainer
swift = pytest.importorskip("swift.dataset", reason="needs ms-swift 4.6.0, whose `datasets` is an older one than ours")


def template(folder: Path, texts: list[str], task: str) -> Any:
    """ms-swift's template for BERT over a tokenizer of the texts' words."""
    import tokenizers
    from swift.model import get_processor
    from swift.template import get_template

    transformers: Any = pytest.importorskip("transformers")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = dict.fromkeys([*special, "a", *(word for text in texts for word in text.split())])
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    raw.post_processor = tokenizers.processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **{f"{one[1:-1].lower()}_token": one for one in special}).save_pretrained(
        folder
    )
    transformers.BertConfig(vocab_size=len(words), hidden_size=8, num_hidden_layers=1, num_attention_heads=2).save_pretrained(folder)
    made = get_template(get_processor(str(folder), model_type="bert", task_type=task), template_type="bert")
    made.set_mode("train")
    made.task_type = task
    return made


@pytest.mark.parametrize("task", ["embedding", "reranker"])
def test_the_trainer_encodes_our_texts_in_place(tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load_dataset` with its preprocessor keeps every row; the template makes anchor, positives and negatives of it, and labels them."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "train.jsonl"
    negforge.run("export ms-swift", scored(), task=task, output=out)
    rows = rows_of(out)
    loaded, _ = swift.load_dataset([str(out)], strict=True, load_from_cache_file=False)
    assert [{name: one[name] for name in rows[0]} for one in loaded] == rows
    every = [message["content"] for one in rows for side in ("positive", "negative") for (message,) in one[f"{side}_messages"]]
    made = template(tmp_path / "model", [*every, *(one["messages"][0]["content"] for one in rows)], task)

    def text(ids: list[int]) -> str:
        return str(made.tokenizer.decode(ids, skip_special_tokens=True))

    for one, row in zip(loaded, rows, strict=True):
        got = made.encode(dict(one))
        anchor = row["messages"][0]["content"]
        right, wrong = ([message["content"] for (message,) in row[f"{side}_messages"]] for side in ("positive", "negative"))
        assert got["labels"] == [1] * len(right) + [0] * len(wrong)
        if task == "embedding":
            assert text(got["anchor_input_ids"]) == anchor
            assert [text(got["positive_input_ids"])] == right
            assert [text(ids) for ids in got["negative_input_ids"]] == wrong
        else:
            assert [text(ids) for ids in got["input_ids"]] == [f"{anchor} {passage}" for passage in right + wrong]
