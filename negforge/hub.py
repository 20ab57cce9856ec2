"""Publishes versions of a dataset on the Hugging Face Hub, and finds there what was published.

A push looks at the repository, sends what is not there, and commits once upon the head it saw. Every try begins with a
look, so that nothing is sent twice: not after an interruption (huggingface/datasets#5045, #6392), nor when the head moved
(huggingface/datasets#7777, #7600), nor when a commit landed whose answer was lost. Tries are few, and wait as long as the
Hub asks for (huggingface/datasets#6257, huggingface/huggingface_hub#3186, #2587).
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from negforge import __version__
from negforge.card import KEEP, card_text
from negforge.engine import temporary_scratch
from negforge.errors import InputError, NegforgeError, RemoteError, UsageError, listed
from negforge.exits import Terminated
from negforge.report import counted, counted_bytes
from negforge.store import Dataset, dataset_named, files_of, same_rows, tampered
from negforge.tables import Source

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
_log = logging.getLogger(__name__)
_TRIES = 5
_FIRST_WAIT = 1.0  # seconds; doubled from try to try
_LONGEST_WAIT = 600.0  # seconds; whoever asks for more is told to come again
_SILENCE = 60.0  # seconds without a word after which a look is given up; a plan waits less
_SILENCE_OF_A_PLAN = 5.0
_TYPE = "dataset"
_CARD, _CROISSANT = "README.md", "croissant.json"


@dataclass
class _Look:
    """What a look at a repository found. files: by path, the size and the digests (git's, and sha256 in large storage)."""

    head: str
    private: bool
    files: dict[str, Any]
    tags: dict[str, str]

    def manifests(self) -> dict[int, str]:
        """The paths of the manifests there, by version, ascending."""
        found = ((re.fullmatch(r"\.negforge/v([0-9]+)/manifest\.json", path), path) for path in self.files)
        return dict(sorted((int(match[1]), path) for match, path in found if match))


@dataclass
class Pushed:
    """What a push did, or, as a plan, would do.

    state: `planned`, `pushed`, or `unchanged` where all was there. files: what the version has, and whether it was there.
    unasked: of a plan, why the Hub could not be asked; whether the repository and the files are there is then not known.
    """

    repo: str
    url: str
    version: int
    tag: str
    exists: bool | None = True
    state: str = "planned"
    commit: str | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    unasked: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"repo": self.repo, "url": self.url, "version": self.version, "tag": self.tag, "exists": self.exists} | {
            "state": self.state,
            "commit": self.commit,
            "files": self.files,
            "bytes_to_send": sum(one["bytes"] for one in self.files if not one["there"]),
            **({"unasked": self.unasked} if self.unasked else {}),
        }

    def lines(self) -> list[str]:
        """For people; as a plan, with every file."""
        new = [one for one in self.files if not one["there"]]
        amount = f"{counted(len(new), 'file')}, {counted_bytes(sum(one['bytes'] for one in new))}"
        if self.state == "planned":
            made = "; the repository would be made" if self.exists is False else ""
            head = f"would push v{self.version} to {self.url} as tag {self.tag}: {'at most ' if self.unasked else ''}{amount}{made}"
            unasked = [f"  what of it is there already could not be asked: {self.unasked}"] if self.unasked else []
            marks = {True: "there ", False: "new   ", None: ""}
            return [head, *unasked, *(f"  {marks[one['there']]}{one['bytes']:>14,} {one['path']}" for one in self.files)]
        done = f"pushed v{self.version} to {self.url}: {amount}" if self.state == "pushed" else f"v{self.version} is in {self.url} already"
        return [f"{done}; tag {self.tag}", f'  load_dataset("{self.repo}", "v{self.version}", revision="{self.tag}", split="train")']


def push(
    spec: str,
    repo: str,
    *,
    tag: str | None = None,
    private: bool = False,
    dropped: bool = True,
    licence: str | None = None,
    replace_card: bool = False,
    dry_run: bool = False,
    progress: bool = False,
) -> Pushed:
    """Publish a version of a dataset folder in a repository of datasets, which is made if it is not there.

    spec: `DIR`, `DIR@v2`. repo: `OWNER/NAME`. tag: `vN` unless given. private: for a repository that is made. dropped: whether
    dropped rows, which may hold text that is not for all, go up too. licence: for the card, where it states none.
    replace_card: take a person's words from the folder's card and not from the repository's. dry_run: look and plan; a Hub that
    does not answer is not waited for.

    Raises UsageError for a name, a tag or a version that is taken; InputError for a file that is not the published one;
    RemoteError once the Hub refused, or did not answer, for good.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo):
        raise UsageError(f"{repo} is no repository", mend="name it OWNER/NAME")
    if tag is not None and not re.fullmatch(r"(?!.*\.\.)\w[\w./-]*", tag):
        raise UsageError(f"'{tag}' cannot be a tag", mend="letters, digits, '.', '_' and '-'")
    dataset, number = dataset_named(spec)
    version = int(dataset.source(number).name.rpartition("@v")[2])  # whose files are there and as long as they should be
    job = _Push(dataset, version, repo, tag or f"v{version}", private, dropped, licence, replace_card)
    with _quiet_client(progress=progress):
        try:
            return _patiently(job.plan if dry_run else job.attempt, repo, shown(job.api.endpoint))
        except (KeyboardInterrupt, Terminated) as stop:
            stop.args = ("the repository is as it was, or has the whole version; the same command goes on, and sends no file twice",)
            raise


class _Push:
    """One version on its way. Files that were checked and sent are remembered from try to try."""

    def __init__(
        self, dataset: Dataset, version: int, repo: str, tag: str, private: bool, dropped: bool, licence: str | None, replace_card: bool
    ) -> None:
        self.api = client()
        self._dataset, self._version, self._repo, self._tag = dataset, version, repo, tag
        self._private, self._licence, self._replace_card = private, licence, replace_card
        self._inner = f".negforge/v{version}/manifest.json"
        self._bytes = (dataset.path / self._inner).read_bytes()
        self._manifest = dataset.manifest(version)
        if not dropped and self._manifest["dropped"]["shards"]:
            self._manifest = copy.deepcopy(self._manifest)
            self._manifest["dropped"] |= {"shards": [], "left_out": True}
            self._bytes = (json.dumps(self._manifest, indent=1) + "\n").encode()
        self._there = b""  # the manifest that the repository has
        self._sent: dict[str, Any] = {}
        self._committed = False

    def plan(self) -> Pushed:
        """What a push would do; as for a repository without files if the Hub cannot be asked."""
        from huggingface_hub.errors import OfflineModeIsEnabled

        try:
            return self._planned(look_at(self.api, self._repo, silence=_SILENCE_OF_A_PLAN))[0]
        except NegforgeError:
            raise
        except Exception as error:
            if _wait(error, 1) is None and not isinstance(error, OfflineModeIsEnabled):
                raise
            done, *_ = self._planned(None)
            done.exists, done.unasked = None, explained(error, self._repo, shown(self.api.endpoint)).what
            done.files = [{**one, "there": None} for one in done.files]
            return done

    def attempt(self) -> Pushed:
        """Look, send, commit, tag."""
        look = look_at(self.api, self._repo)
        there = look is not None
        if look is None:
            self.api.create_repo(self._repo, repo_type=_TYPE, private=self._private or None, exist_ok=True)
            look = look_at(self.api, self._repo)
            if look is None:
                raise RemoteError(f"{self._repo} was made, and is not there", shown(self.api.endpoint), "push again")
        done, files, texts = self._planned(look)
        done.exists = there
        new = [one["path"] for one in done.files if not one["there"]]
        if new:
            done.commit = self._commit(look, [one for one in files if one["path"] in new], {p: d for p, d in texts.items() if p in new})
        if self._tag not in look.tags:
            done.commit = self._mark(None if self._version in look.manifests() else done.commit)
        done.state = "pushed" if new or self._committed else "unchanged"
        return done

    def _planned(self, look: _Look | None) -> tuple[Pushed, list[dict[str, Any]], dict[str, bytes]]:
        """What there is to do after a look, with the files of the version and the texts. UsageError if something is in the way."""
        done = Pushed(self._repo, f"{shown(self.api.endpoint)}/datasets/{self._repo}", self._version, self._tag, look is not None)
        if look is not None and self._private and not look.private:
            raise UsageError(f"{self._repo} is there and public", mend="make it private in its settings on the Hub, or leave out --private")
        state = look or _Look("", self._private, {}, {})
        theirs = self._theirs(state)
        here = theirs.get(self._version)
        manifest, files = self._agreed(here, state)
        self._check_tag(state, landed=here is not None)
        texts = self._texts(state, theirs, manifest)
        done.files = [
            *({"path": one["path"], "bytes": one["bytes"], "there": _is_there(self._dataset.path, one, state)} for one in files),
            *({"path": path, "bytes": len(data), "there": _is_text(data, state.files.get(path))} for path, data in texts.items()),
        ]
        return done, files, texts

    def _theirs(self, state: _Look) -> dict[int, dict[str, Any]]:
        """The manifests that are in the repository; one that is also here is not fetched."""
        found = {}
        for version, path in state.manifests().items():
            mine = self._dataset.path / path
            data = mine.read_bytes() if mine.is_file() else b""
            data = next((one for one in (self._bytes, data) if _is_text(one, state.files[path])), None) or self._fetched(path, state)
            self._there = data if version == self._version else self._there
            try:
                found[version] = json.loads(data)
                _ = found[version]["shards"], found[version]["dropped"]["shards"], found[version]["version"]
            except (ValueError, KeyError, TypeError) as error:
                where = f"{path} in {self._repo}: {type(error).__name__}: {error}"
                raise InputError(
                    f"the manifest of v{version} is damaged", where, "delete it there, or push to another repository"
                ) from error
        return found

    def _agreed(self, here: dict[str, Any] | None, state: _Look) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The manifest that the repository is to have, and its files. UsageError if what is there is another version."""
        manifest = self._manifest
        if here is not None and not same_rows(here, manifest):
            number = max(state.manifests()) + 1
            where = f"its rows_digest is {here['digests']['rows_digest']}, here it is {manifest['digests']['rows_digest']}"
            mend = f"push to another repository, or make the rows again here until their version is v{number} or higher"
            raise UsageError(f"{self._repo} has another v{self._version}, and a published version never changes", where, mend)
        more = (
            manifest["dropped"]["shards"] and here is not None and here["dropped"].get("left_out") and here["shards"] == manifest["shards"]
        )
        if here is not None and not more:
            manifest = here
        files = [one for one in _files(manifest) if manifest is self._manifest or one in _files(self._manifest)]
        known = {self._inner, *(one["path"] for one in _files(manifest))}
        folders = (f"data/v{self._version}/", f".negforge/v{self._version}/")
        for path in state.files:
            if path.startswith(folders) and path not in known:
                raise _stray(path, self._version, self._repo)
        for one in files:
            if one["path"] in state.files and not _is_there(self._dataset.path, one, state):
                raise _stray(one["path"], self._version, self._repo)
        return manifest, files

    def _check_tag(self, state: _Look, *, landed: bool) -> None:
        """UsageError if the tag names something without this version."""
        if self._tag not in state.tags:
            return
        if not (landed and self.api.get_paths_info(self._repo, [self._inner], revision=self._tag, repo_type=_TYPE)):
            where = f"it names {state.tags[self._tag][:12]}, which does not have v{self._version}"
            raise UsageError(f"{self._repo} has a tag {self._tag} already", where, "pass --tag with another name, or delete the tag there")

    def _texts(self, state: _Look, theirs: dict[int, dict[str, Any]], manifest: dict[str, Any]) -> dict[str, bytes]:
        """The small files of the repository that follow from the manifests: the version's own, the card, Croissant."""
        from negforge.croissant import croissant

        card = self._dataset.path / _CARD
        if _CARD in state.files and not self._replace_card:
            old = self._fetched(_CARD, state).decode("utf-8-sig", errors="replace")
        else:
            old = card.read_text(encoding="utf-8-sig", errors=KEEP) if card.is_file() else ""
        manifests = [one for _, one in sorted({**theirs, self._version: manifest}.items())]
        text = card_text(self._repo.partition("/")[2], manifests, old, place=self._repo, licence=self._licence)
        url = f"{shown(self.api.endpoint)}/datasets/{self._repo}"
        described = croissant(manifests[-1], name=self._repo.partition("/")[2], card=text, url=url)
        return {
            self._inner: self._bytes if manifest is self._manifest else self._there,
            _CARD: text.encode(errors="replace"),
            _CROISSANT: (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode(),
        }

    def _commit(self, state: _Look, files: list[dict[str, Any]], texts: dict[str, bytes]) -> str:
        """Send files and commit. InputError for a file that is not the published one."""
        from huggingface_hub import CommitOperationAdd
        from huggingface_hub.utils._runtime import is_xet_available

        for file in files:
            if file["path"] not in self._sent:
                self._sent[file["path"]] = self._checked(file)
        large = [self._sent[file["path"]] for file in files]
        small = [CommitOperationAdd(path, data) for path, data in texts.items()]
        # One file at a time, in this thread, so that an interrupt is heard at once; xet has threads of its own.
        for group in [small, *([large] if is_xet_available() else [[one] for one in large])]:
            # What a .gitignore of the repository leaves out would be left out without a word.
            self.api.preupload_lfs_files(
                self._repo, group, repo_type=_TYPE, revision="main", num_threads=1, free_memory=False, gitignore_content=""
            )
        title = f"Add v{self._version}" if self._inner in texts or files else "Update the card"
        self._committed = True
        done = self.api.create_commit(
            self._repo, [*large, *small], commit_message=title, repo_type=_TYPE, revision="main", num_threads=1, parent_commit=state.head
        )
        return str(done.oid)

    def _checked(self, file: dict[str, Any]) -> Any:
        from huggingface_hub import CommitOperationAdd

        path = self._dataset.path / file["path"]
        try:
            operation = CommitOperationAdd(file["path"], str(path))
            found = operation.upload_info.sha256.hex()
        except (OSError, ValueError) as error:
            raise tampered(path, self._version, str(error)) from error
        if found != file["sha256"]:
            raise tampered(path, self._version, f"its sha256 begins {found[:12]}, not {file['sha256'][:12]}")
        return operation

    def _mark(self, commit: str | None) -> str:
        """Tag a commit; without one, that in which the version landed."""
        if commit is None:
            (there,) = self.api.get_paths_info(self._repo, [self._inner], expand=True, revision="main", repo_type=_TYPE)
            commit = str(getattr(there, "last_commit").oid)  # noqa: B009 - a folder has none by its type
        self.api.create_tag(self._repo, tag=self._tag, revision=commit, repo_type=_TYPE)
        return commit

    def _fetched(self, path: str, state: _Look) -> bytes:
        with temporary_scratch() as scratch, _quiet_client(progress=False):
            local = self.api.hf_hub_download(self._repo, path, repo_type=_TYPE, revision=state.head, cache_dir=scratch.path)
            return Path(local).read_bytes()


def shown(endpoint: str) -> str:
    """An endpoint as it may be printed and published: without a name and a password."""
    return re.sub(r"//[^/@]*@", "//", endpoint)


def client() -> Any:
    """The Hub's client, for the endpoint and the token of the environment or of the client's own login."""
    from huggingface_hub import HfApi

    endpoint = os.environ.get("HF_ENDPOINT")
    if endpoint and not re.match(r"https?://", endpoint):
        raise UsageError("HF_ENDPOINT is no address", shown(endpoint), "it begins with https:// or http://")
    return HfApi(endpoint=endpoint.rstrip("/") if endpoint else None, library_name="negforge", library_version=__version__)


def published(spec: str, repo: str, config: str | None, revision: str | None) -> Source | None:
    """A version that was pushed, with its kind, history and dropped rows; None if the repository has none, or cannot be seen.

    config: `v2` for an older version. revision: a tag, whose own version is read, a branch or a commit. Files come into the
    client's cache, each checked against the manifest. InputError for a version that is not there; RemoteError.
    """
    from huggingface_hub.errors import OfflineModeIsEnabled

    api = client()
    try:
        look = _patiently(lambda: look_at(api, repo, revision), repo, shown(api.endpoint))
    except RemoteError as error:
        if isinstance(error.__cause__, OfflineModeIsEnabled) or _status(error) == 404:
            return None  # `datasets` may have it in its cache, and says what is wrong if not
        raise
    paths = look.manifests() if look is not None else {}
    named = config or (revision if revision in {f"v{version}" for version in paths} else None)
    if look is None or not paths or (config is not None and not re.fullmatch("v[0-9]+", config)):
        return None
    version = int(named[1:]) if named is not None else max(paths)
    if version not in paths:
        raise InputError(f"{repo} has no version {named}", f"it has {listed(f'v{one}' for one in paths)}", "name one of these")
    head = look.head

    def fetched(path: str) -> Path:
        def fetch() -> Path:
            return Path(api.hf_hub_download(repo, path, repo_type=_TYPE, revision=head))

        with _quiet_client(progress=False):
            return _patiently(fetch, repo, shown(api.endpoint))

    dataset = Dataset(fetched(paths[version]).parents[2])
    manifest = dataset.manifest(version)

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for file in files_of(manifest):
            fetched(file["path"])
        yield from dataset.source(version).batches(rows)

    return Source(spec, batches, manifest["kind"], manifest["clustered"], manifest["stages"])


def look_at(api: Any, repo: str, revision: str | None = None, silence: float = _SILENCE) -> _Look | None:
    """A look at a repository of datasets, or None if it is not there, or not for whoever asks. silence: how long to wait, in seconds."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(repo, repo_type=_TYPE, revision=revision, files_metadata=True, timeout=silence)
        tags = {one.name: one.target_commit for one in api.list_repo_refs(repo, repo_type=_TYPE).tags}
    except RepositoryNotFoundError:
        return None
    return _Look(info.sha, bool(info.private), {one.rfilename: one for one in info.siblings or []}, tags)


def _files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [*files_of(manifest), *manifest.get("asides", [])]


def _is_there(folder: Path, file: dict[str, Any], state: _Look) -> bool:
    there = state.files.get(file["path"])
    if there is None:
        return False
    if there.lfs is not None:
        return bool(there.lfs.sha256 == file["sha256"])
    return there.size == file["bytes"] and _is_text((folder / file["path"]).read_bytes(), there)


def _is_text(data: bytes, there: Any) -> bool:
    """Whether a small file of the repository has these bytes."""
    from huggingface_hub.utils.sha import git_hash

    return there is not None and there.blob_id == git_hash(data)


def _stray(path: str, version: int, repo: str) -> UsageError:
    what = f"{repo} has a file {path} that is not the one of v{version}"
    return UsageError(what, "whoever loads the version would read it", "delete it there, or push to another repository")


# -- a service that fails ------------------------------------------------------------------------------------------------


def _patiently(act: Callable[[], T], repo: str, endpoint: str) -> T:
    """Try a few times, as long as what failed may pass."""
    for number in range(1, _TRIES + 1):
        try:
            return act()
        except NegforgeError:
            raise
        except Exception as error:
            wait = _wait(error, number)
            if wait is None and _status(error) is None and not isinstance(error, (ValueError, OSError)):
                raise  # no word of the Hub's: a bug
            if wait is None or number == _TRIES:
                raise explained(error, repo, endpoint) from error
            _log.warning("%s: %s; looking again in %.0f s, try %d of %d", repo, _reason(error), wait, number + 1, _TRIES)
            time.sleep(wait)
    raise AssertionError


def _status(error: BaseException) -> int | None:
    """The status of the answer that an error is about; 0 where none came; None if it is not about an answer."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            return int(cause.response.status_code)
        if isinstance(cause, (httpx2.TransportError, json.JSONDecodeError)):
            return 0
        cause = cause.__cause__
    return None


def _reason(error: BaseException) -> str:
    status = _status(error)
    known = {0: "the connection broke", 409: "another change is under way", 412: "someone else changed it", 429: "too many requests"}
    return known.get(status or 0, f"status {status}")


def _wait(error: BaseException, number: int) -> float | None:
    """Seconds until another try, or None if none would help."""
    status = _status(error)
    if status is None or not (status in (0, 409, 412, 429) or status >= 500):
        return None
    asked = _asked(error)
    wait = _FIRST_WAIT * 2.0 ** (number - 1) if asked is None else asked
    return wait if wait <= _LONGEST_WAIT else None


def _asked(error: BaseException | None) -> float | None:
    """Seconds that an answer asks to wait."""
    while error is not None:
        headers = getattr(getattr(error, "response", None), "headers", {})
        if str(headers.get("retry-after", "")).strip().isdigit():
            return float(headers["retry-after"])
        error = error.__cause__
    return None


def explained(error: BaseException, repo: str, endpoint: str) -> NegforgeError:
    """An error of the Hub's client, for the person who must act. It never has the token in it."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    status = _status(error)
    if isinstance(error, OfflineModeIsEnabled):
        return RemoteError("HF_HUB_OFFLINE is set, so the Hub cannot be reached", endpoint, "unset HF_HUB_OFFLINE")
    if isinstance(error, ValueError) and "README.md" in str(error):
        where = str(error).partition("\n")[2].strip()
        return InputError(f"{endpoint} does not take the card's YAML", where, "mend README.md, in the repository if it is there")
    if status is None:
        return RemoteError(f"the Hub's client failed: {type(error).__name__}", str(error).strip().partition("\n")[0], "push again")
    later = f"in {asked:,.0f} s" if (asked := _asked(error)) else "later"
    told: dict[int, tuple[str, str]] = {
        0: (f"{endpoint} does not answer", "check the connection; the same command goes on where it was"),
        401: (f"{endpoint} does not know you", "run `hf auth login`, or set HF_TOKEN to a token that may write"),
        403: (f"you may not write to {repo}", "take a token that may write there, or another name"),
        404: (f"there is no {repo}, or it is private and not yours", "check the name, or log in: hf auth login"),
        412: (f"others keep changing {repo}", "push again"),
        429: (f"{endpoint} has had too many requests of you", f"push again {later}; what was sent is not sent again"),
    }
    what, mend = told.get(status, (f"{endpoint} failed", f"push again {later}; what was sent is not sent again"))
    said = getattr(error, "server_message", None)
    return RemoteError(what, f"{repo}: status {status}{f': {said}' if said else ''}" if status else repo, mend)


@contextlib.contextmanager
def _quiet_client(*, progress: bool) -> Iterator[None]:
    """Bars on a terminal only; of the client's warnings those that say how long it waits, for others show signed addresses."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    def telling(record: logging.LogRecord) -> bool:
        return record.getMessage().startswith(("Rate limited", "Retrying in"))

    logger = logging.getLogger("huggingface_hub.utils._http")
    logger.addFilter(telling)
    silenced = not progress and not are_progress_bars_disabled()
    if silenced:
        disable_progress_bars()
    try:
        yield
    finally:
        logger.removeFilter(telling)
        if silenced:
            enable_progress_bars()
