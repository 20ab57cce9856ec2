"""Encoders: what turns texts into vectors. Each is known by what it is, a digest of its weights, and never by its name alone.

Source: sentence-transformers 6.2 keys its cache by `base_model`, so that two checkpoints share one another's vectors;
huggingface/sentence-transformers#3870 (the prompt was not in the key either).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from negforge import rng
from negforge.corpus import file_digest, files_in
from negforge.errors import InputError, RemoteError, UsageError, near

F32 = NDArray[np.float32]
ENCODES: dict[str, JsonValue] = {"format": "encoder"}  # what the schema of an option says that names one
_PROBE = "A text whose vector tells one model from another."
KEY = "OPENAI_API_KEY"
_ROWS_A_REQUEST = 256
_NOT_THE_MODEL = ("readme", "license", "notice", ".git")


@dataclass(frozen=True)
class Encoder:
    """A model by name, and what is put before each text. Nothing is loaded until something is to be encoded.

    spec: a folder of sentence-transformers or model2vec, a name of one on the Hub, or `http://HOST/v1#MODEL` for a server that
    speaks the OpenAI protocol.
    """

    spec: str
    prompt: str = ""

    @property
    def remote(self) -> bool:
        """Whether a server encodes."""
        return self.spec.startswith(("http://", "https://"))

    @functools.cached_property
    def fingerprint(self) -> str:
        """What changes whenever the vectors may: the digest of all files of a model, or the endpoint with the vector of a fixed text."""
        if self.remote:
            probe = np.round(_served(self.spec)([_PROBE]).astype(np.float64), 4)
            return rng.json_digest([self.spec, probe.tolist(), self.prompt])
        return rng.json_digest([self._files, self.prompt])

    @functools.cached_property
    def _files(self) -> list[list[str]]:
        return files_of(folder_of(self.spec))

    @property
    def named(self) -> str:
        """The model's name and fingerprint, the same wherever it lies."""
        return f"{self.spec if self.remote else Path(self.spec).name} {self.fingerprint}"

    def encode(self, texts: list[str]) -> F32:
        """N texts become n rows of numbers, as the model gives them. Raises InputError for a text whose vector is no direction."""
        if self.remote:
            found = _served(self.spec)([self.prompt + text for text in texts])
        else:
            found = _local(str(folder_of(self.spec)), rng.json_digest(self._files))(texts, self.prompt)
        if found.shape[:1] != (len(texts),) or found.ndim != 2:
            raise InputError(f"the model gave {found.shape[0]} vectors for {len(texts)} texts", self.spec, "use another model")
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(bad):
            raise InputError("the model's vector of a text is not finite", f"{self.spec}: {texts[int(bad[0])][:80]!r}", "use another model")
        return found


def files_of(folder: Path) -> list[list[str]]:
    """The files that make a model what it is, each by name and digest."""
    files = [one for one in files_in(folder) if not one.name.lower().startswith(_NOT_THE_MODEL)]
    return [[one.relative_to(folder).as_posix(), file_digest(one)] for one in files]


def folder_of(spec: str) -> Path:
    """The folder of a local model, or of one of the Hub that was fetched. Raises UsageError for one that is nowhere."""
    path = Path(spec).expanduser()
    if path.is_dir():
        if not any((path / name).exists() for name in ("modules.json", "config.json")):
            raise UsageError(f"{spec} holds no model", "neither modules.json nor config.json is there", "name the folder of a model")
        return path
    if path.parent.is_dir() and (len(path.parts) != 2 or path.is_absolute()):
        guess = near(path.name, [one.name for one in path.parent.iterdir() if one.is_dir()])
        raise UsageError(f"there is no model {spec}", mend=f"did you mean {path.with_name(guess)}?" if guess else "check the path")
    from huggingface_hub import snapshot_download

    last = ""
    for local in (True, False):
        try:
            return Path(snapshot_download(spec, local_files_only=local))
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is not to be had
            last = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    raise UsageError(
        f"there is no model '{spec}'", f"neither a folder nor to be had from the Hub: {last}", "check the name, or give a folder"
    )


def refuse_changed(folder: str, digest: str) -> None:
    """Raise InputError where a model that was just loaded is not, or may not be, the one whose files have the digest."""
    if rng.json_digest(files_of(Path(folder))) != digest:
        raise InputError("the model changed while it was read", folder, "run the command again when nothing writes to the folder")


@functools.lru_cache(maxsize=2)
def _local(folder: str, digest: str) -> Callable[[list[str], str], F32]:
    """What encodes with a model in a folder whose files have the digest; its library says what to install where it is missing."""
    said = [(Path(folder) / name).read_text(encoding="utf-8") for name in ("config.json", "modules.json") if (Path(folder) / name).exists()]
    static = any("model2vec" in text or "StaticEmbedding" in text for text in said)
    loaded = _static(folder) if static else _transformer(folder)
    refuse_changed(folder, digest)
    return loaded


def _static(folder: str) -> Callable[[list[str], str], F32]:
    try:
        from model2vec import StaticModel
    except ImportError:
        raise UsageError("this model needs model2vec", folder, 'pip install "negforge[model2vec]"') from None
    model = StaticModel.from_pretrained(folder, normalize=False)
    return lambda texts, prompt: np.asarray(model.encode([prompt + text for text in texts]), dtype=np.float32)


def _transformer(folder: str) -> Callable[[list[str], str], F32]:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar as quiet
    except ImportError:
        raise UsageError(
            "this model needs sentence-transformers", folder, 'pip install "negforge[sentence-transformers]", or bring vectors'
        ) from None
    quiet()
    model = SentenceTransformer(folder, trust_remote_code=False, local_files_only=True)

    def encode(texts: list[str], prompt: str) -> F32:
        found: F32 = model.encode(texts, prompt=prompt or None, convert_to_numpy=True, normalize_embeddings=False, show_progress_bar=False)
        return found.astype(np.float32)

    return encode


def client_of(spec: str) -> tuple[Any, str, str]:
    """A client of the server that `http://HOST/v1#MODEL` names, which waits and tries again where it is told to; endpoint and model."""
    import openai

    endpoint, sign, model = spec.partition("#")
    if not sign or not model:
        raise UsageError(f"{spec} names no model", mend=f"write the model behind a #: {endpoint}#MODEL")
    return openai.OpenAI(base_url=endpoint, api_key=os.environ.get(KEY, "none"), max_retries=5), endpoint, model


@functools.lru_cache(maxsize=2)
def _served(spec: str) -> Callable[[list[str]], F32]:
    """What asks a server for vectors, some texts at a time."""
    import openai

    client, endpoint, model = client_of(spec)

    def encode(texts: list[str]) -> F32:
        rows: list[Any] = []
        for start in range(0, len(texts), _ROWS_A_REQUEST):
            part = texts[start : start + _ROWS_A_REQUEST]
            try:
                said = client.embeddings.create(model=model, input=part, encoding_format="float")
            except openai.OpenAIError as error:
                mend = f"check the server, the model's name and {KEY}; what was encoded is kept"
                raise RemoteError(f"the server did not encode: {error}", endpoint, mend) from error
            given = sorted(said.data, key=lambda one: one.index)
            if [one.index for one in given] != list(range(len(part))):
                raise RemoteError(f"the server gave {len(given)} vectors for {len(part)} texts", endpoint, "check the server")
            rows += [one.embedding for one in given]
        if len({len(row) for row in rows}) > 1:
            raise RemoteError("the server gave vectors of different lengths", endpoint, "check the server")
        return np.asarray(rows, dtype=np.float32)

    return encode
