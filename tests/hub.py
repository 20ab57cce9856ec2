"""A Hub on loopback: what the client of huggingface_hub asks when it publishes and reads datasets, with faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_a_secret_that_nobody_sees"


@dataclass(frozen=True)
class Blob:
    """A file of a commit."""

    data: bytes
    lfs: bool
    since: str  # the commit it came with

    @property
    def sha256(self) -> str:
        """Its digest in large storage."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Its digest in git: that of the pointer if it lies in large storage."""
        data = f"version https://git-lfs\noid sha256:{self.sha256}\nsize {len(self.data)}\n".encode() if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def document(self, path: str) -> dict[str, Any]:
        """As the tree lists it."""
        found: dict[str, Any] = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.lfs:
            found["lfs"] = {"size": len(self.data), "oid": self.sha256, "pointerSize": 130}
        return found


@dataclass
class Repo:
    """A repository: its commits, the newest last, each a title and a tree."""

    private: bool
    commits: dict[str, tuple[str, dict[str, Blob]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """The newest commit."""
        return [*self.commits][-1]

    @property
    def files(self) -> dict[str, Blob]:
        """The newest tree."""
        return self.commits[self.head][1]

    @property
    def titles(self) -> list[str]:
        """What the commits say they did."""
        return [title for title, _ in self.commits.values()]

    def commit(self, title: str, tree: dict[str, bytes | Blob], lfs: frozenset[str] = frozenset()) -> str:
        """Add a commit upon the newest tree, of files given as their bytes."""
        oid = hashlib.sha1(f"{len(self.commits)} {title}".encode(), usedforsecurity=False).hexdigest()
        before = self.files if self.commits else {}
        fresh = {path: one if isinstance(one, Blob) else Blob(one, path in lfs, oid) for path, one in tree.items()}
        self.commits[oid] = title, {**before, **fresh}
        return oid

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a digest names."""
        if revision == "main":
            return self.head
        return self.tags.get(revision) or (revision if revision in self.commits else None)


@dataclass
class Fault:
    """What happens instead of, or after, an answer to requests that match: `METHOD path`.

    status: the answer; 0 cuts the connection. landed: what was asked is done before. times: how often.
    """

    match: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    landed: bool = False
    times: int = 1
    act: Callable[[Hub], None] | None = None


class Hub:
    """The server, its repositories, and what was asked of it."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.sent: Counter[str] = Counter()
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.faults: list[Fault] = []
        self.kill: tuple[int, str] | None = None  # at which request, and when: before, amid or after
        self.victim = 0
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def repo(self, name: str = "me/set") -> Repo:
        """A repository."""
        return self.repos[name]

    def make(self, name: str = "me/set", *, private: bool = False, files: dict[str, bytes] | None = None) -> Repo:
        """A new repository, as the Hub makes one."""
        self.repos[name] = made = Repo(private)
        made.commit("initial commit", {".gitattributes": b"*.parquet filter=lfs\n", **(files or {})})
        return made

    def forget(self) -> None:
        """Begin anew: no repository, nothing sent, nothing asked."""
        for one in (self.repos, self.large, self.sent, self.asked, self.faults):
            one.clear()
        self.kill, self.victim = None, 0

    def strike(self, number: int, moment: str) -> bool:
        """Kill the one who asks, if this is the moment."""
        if self.kill == (number, moment) and self.victim:
            os.kill(self.victim, signal.SIGKILL)
            self.victim = 0
            return True
        return False


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def do(self) -> None:
        """Take a request: what is wrong on purpose first."""
        hub = self.hub
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path.startswith("/victim/"):
            hub.victim = int(path.removeprefix("/victim/"))
            self._answer(200)
            return
        with hub.lock:
            hub.asked.append(f"{self.command} {path}")
            number = len(hub.asked)
            hub.tokens.add(self.headers.get("Authorization"))
            fault = next((one for one in hub.faults if one.times and re.search(one.match, f"{self.command} {path}")), None)
            if fault is not None:
                fault.times -= 1
        if hub.strike(number, "before"):
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        half = self.rfile.read(length // 2)
        if hub.strike(number, "amid"):
            self.close_connection = True
            return
        if fault is not None and not fault.landed and fault.status == 0:
            if fault.act is not None:
                fault.act(hub)
            self._cut()
            return
        body = half + (self._chunks() if self.headers.get("Transfer-Encoding") == "chunked" else self.rfile.read(length - len(half)))
        if fault is not None and not fault.landed:
            if fault.act is not None:
                fault.act(hub)
            if fault.status:
                self._answer(fault.status, {"error": "on purpose"}, fault.headers)
                return
        with hub.lock:
            status, answer, headers = self._route(path, parse_qs(parts.query), body)
        if hub.strike(number, "after"):
            self.close_connection = True
            return
        if fault is not None and fault.landed:
            if fault.status:
                self._answer(fault.status, {"error": "on purpose"}, fault.headers)
            else:
                self._cut()
            return
        self._answer(status, answer, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do  # noqa: N815 - the names that http.server asks for

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    # -- what is asked -----------------------------------------------------------------------------------------------

    def _route(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any, dict[str, str]]:
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if path.startswith("/large/"):
            sha = path.removeprefix("/large/")
            if hashlib.sha256(body).hexdigest() != sha:
                return 400, {"error": "other bytes"}, {}
            self.hub.large[sha] = body
            self.hub.sent[sha] += 1
            return 200, {}, {}
        if path == "/api/validate-yaml":
            return (
                (400, {"errors": [{"message": '"license" must be one of a list'}]}, {}) if "bad-licence" in body.decode() else (200, {}, {})
            )
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if not known:
                return 401, {"error": "who are you"}, {}
            if asked["organization"] != "me":
                return 403, {"error": "not yours"}, {"X-Error-Message": "not yours"}
            if name in self.hub.repos:
                return 409, {"url": f"{self.hub.url}/datasets/{name}"}, {}
            self.hub.make(name, private=asked.get("visibility") == "private")
            return 200, {"url": f"{self.hub.url}/datasets/{name}"}, {}
        match = re.fullmatch(r"(?:/api)?/datasets/([\w.-]+/[\w.-]+?)(?:\.git)?(?:/(.*))?", path)
        repo = self.hub.repos.get(match[1]) if match else None
        if match is None or repo is None or (repo.private and not known):
            return (404 if known else 401), {"error": "no such repository"}, {"X-Error-Code": "RepoNotFound"}
        verb, _, rest = (match[2] or "").partition("/")
        if verb in ("preupload", "commit", "tag", "info") and not known:
            return 401, {"error": "who are you"}, {}
        method: Callable[..., tuple[int, Any, dict[str, str]]] = getattr(self, f"_{verb.replace('-', '_') or 'revision'}")
        return method(match[1], repo, rest, query, body)

    def _revision(self, name: str, repo: Repo, rest: str, query: Any, _: bytes) -> tuple[int, Any, dict[str, str]]:
        oid = repo.resolve(rest or "main")
        if oid is None:
            return 404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"}
        files = []
        for path, blob in repo.commits[oid][1].items():
            more = {"size": len(blob.data), "blobId": blob.oid} if query.get("blobs") else {}
            large = {"lfs": {"size": len(blob.data), "sha256": blob.sha256, "pointerSize": 130}} if more and blob.lfs else {}
            files.append({"rfilename": path, **more, **large})
        return 200, {"id": name, "sha": oid, "private": repo.private, "siblings": files, "tags": [], "downloads": 0, "likes": 0}, {}

    def _refs(self, _: str, repo: Repo, *__: Any) -> tuple[int, Any, dict[str, str]]:
        tags = [{"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": oid} for tag, oid in repo.tags.items()]
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
        return 200, {"branches": [main], "converts": [], "tags": tags}, {}

    def _tag(self, _: str, repo: Repo, rest: str, __: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        tag = json.loads(body)["tag"]
        if tag in repo.tags:
            return 409, {"error": "this tag is there"}, {}
        repo.tags[tag] = str(repo.resolve(rest))
        return 200, {}, {}

    def _tree(self, _: str, repo: Repo, rest: str, query: dict[str, list[str]], __: bytes) -> tuple[int, Any, dict[str, str]]:
        revision, _, folder = rest.partition("/")
        oid = repo.resolve(revision)
        if oid is None:
            return 404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"}
        found: dict[str, Any] = {}
        for path, blob in repo.commits[oid][1].items():
            if not path.startswith(f"{folder}/" if folder else ""):
                continue
            inner = path[len(folder) + 1 if folder else 0 :].split("/")
            for depth in range(1, len(inner)):
                above = "/".join([*([folder] if folder else []), *inner[:depth]])
                if depth == 1 or query.get("recursive") == ["true"]:
                    found[above] = {"type": "directory", "path": above, "oid": "0" * 40, "size": 0}
            if len(inner) == 1 or query.get("recursive") == ["true"]:
                found[path] = self._described(repo, path, blob)
        if folder and not found:
            return 404, {"error": "no such entry"}, {"X-Error-Code": "EntryNotFound"}
        return 200, list(found.values()), {}

    def _described(self, repo: Repo, path: str, blob: Blob) -> dict[str, Any]:
        last = {"id": blob.since, "title": repo.commits[blob.since][0], "date": "2026-11-01T00:00:00.000Z"}
        return {**blob.document(path), "lastCommit": last}

    def _paths_info(self, _: str, repo: Repo, rest: str, __: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        oid = repo.resolve(rest)
        if oid is None:
            return 404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"}
        tree, found = repo.commits[oid][1], []
        for path in parse_qs(body.decode())["paths"]:
            if path in tree:
                found.append(self._described(repo, path, tree[path]))
            elif any(one.startswith(f"{path}/") for one in tree):
                found.append({"type": "directory", "path": path, "oid": "0" * 40, "size": 0})
        return 200, found, {}

    def _preupload(self, _: str, __: Repo, ___: str, ____: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        asked = json.loads(body)
        ignored = "gitIgnore" not in asked
        modes = [(one["path"], "lfs" if one["path"].endswith(".parquet") else "regular") for one in asked["files"]]
        return 200, {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": ignored} for path, mode in modes]}, {}

    def _info(self, _: str, __: Repo, ___: str, ____: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        objects = []
        for one in json.loads(body)["objects"]:
            new = {} if one["oid"] in self.hub.large else {"actions": {"upload": {"href": f"{self.hub.url}/large/{one['oid']}"}}}
            objects.append({"oid": one["oid"], "size": one["size"], **new})
        return 200, {"transfer": "basic", "objects": objects}, {}

    def _commit(self, name: str, repo: Repo, _: str, __: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        header, *operations = [json.loads(line) for line in body.splitlines()]
        if header["value"].get("parentCommit") not in (None, repo.head):
            return 412, {"error": "the head moved"}, {}
        tree: dict[str, bytes | Blob] = {}
        large = set()
        for one in operations:
            value = one["value"]
            if one["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            else:
                if value["oid"] not in self.hub.large:
                    return 400, {"error": f"{value['path']} was never sent"}, {}
                tree[value["path"]] = self.hub.large[value["oid"]]
                large.add(value["path"])
        oid = repo.commit(header["value"]["summary"], tree, frozenset(large))
        return 200, {"commitUrl": f"{self.hub.url}/datasets/{name}/commit/{oid}", "commitOid": oid}, {}

    def _resolve(self, _: str, repo: Repo, rest: str, *__: Any) -> tuple[int, Any, dict[str, str]]:
        revision, _, path = rest.partition("/")
        oid = repo.resolve(revision)
        if oid is None:
            return 404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"}
        blob = repo.commits[oid][1].get(path)
        if blob is None:
            return 404, {"error": "no such entry"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid}
        tag = blob.sha256 if blob.lfs else blob.oid
        headers = {"X-Repo-Commit": oid, "ETag": f'"{tag}"', "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            return 200, blob.data, headers
        start, end = int(asked[1]), min(int(asked[2] or len(blob.data) - 1), len(blob.data) - 1)
        return 206, blob.data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(blob.data)}"}
