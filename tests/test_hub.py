"""Publishing on the Hub: the real client against a Hub on loopback that fails on demand."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from negforge import hub as publishing
from negforge.errors import InputError
from negforge.store import Dataset
from negforge.tables import open_sources
from tests.children import negatives, write
from tests.conftest import ROOT
from tests.hub import TOKEN, Blob, Fault, Hub
from tests.shell import Children, call, good, shell, start

REPO = "me/set"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub on loopback that the client in this process speaks to; waits are short."""
    from huggingface_hub import constants

    server = Hub()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(publishing, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.close()


def child(hub: Hub) -> dict[str, str]:
    """The environment of a child that speaks to the Hub."""
    return {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two versions, written once."""
    path = tmp_path_factory.mktemp("written") / "set"
    write(path, negatives(60, "a"), shards=2)
    write(path, negatives(60, "b"), mark="b")
    return path


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A dataset of two versions."""
    shutil.copytree(written, tmp_path / "set")
    return tmp_path / "set"


def pushed(*words: str | Path) -> dict[str, Any]:
    """What a push that succeeds says."""
    found: dict[str, Any] = json.loads(good("push", *words, "--json").out)
    return found


def refused(code: int, *words: str | Path) -> str:
    """What a push that must fail says; the token is not in it."""
    done = call("push", *words)
    assert done.code == code, done.err
    assert TOKEN not in done.out + done.err
    assert "mend:" in done.err
    return done.err


def whole(hub: Hub, folder: Path, *versions: int) -> None:
    """The repository has these versions to the byte, a card that names them and no other, and nothing was sent twice."""
    from negforge.card import front_of

    repo = hub.repo()
    front = front_of(repo.files["README.md"].data.decode())
    assert [one["config_name"] for one in front["configs"]] == [f"v{version}" for version in sorted(versions, reverse=True)]
    assert [one["config_name"] for one in front["dataset_info"]] == [f"v{version}" for version in sorted(versions, reverse=True)]
    for version in versions:
        manifest = Dataset(folder).manifest(version)
        for file in [*manifest["shards"], *manifest["dropped"]["shards"]]:
            assert repo.files[file["path"]].sha256 == file["sha256"]
        inner = f".negforge/v{version}/manifest.json"
        assert repo.files[inner].data == (folder / inner).read_bytes()
        assert inner in repo.commits[repo.tags[f"v{version}"]][1]
    assert not [path for path in repo.files if path.startswith("data/") and path.split("/")[1] not in {f"v{one}" for one in versions}]
    assert max(hub.sent.values()) == 1


# -- a push ------------------------------------------------------------------------------------------------------------


def test_a_version_goes_up_in_one_commit_under_its_tag(hub: Hub, folder: Path) -> None:
    """Shards, manifest, dropped rows, card and Croissant; the repository is made, and the line to load it is said."""
    done = good("push", folder, REPO)
    assert done.out == ""
    assert 'load_dataset("me/set", "v2", revision="v2", split="train")' in done.err
    assert hub.repo().titles == ["initial commit", "Add v2"]
    assert hub.repo().tags == {"v2": hub.repo().head}
    assert hub.repo().files.keys() - {".gitattributes"} == {
        "README.md",
        "croissant.json",
        ".negforge/v2/manifest.json",
        *(file["path"] for file in [*Dataset(folder).manifest(2)["shards"], *Dataset(folder).manifest(2)["dropped"]["shards"]]),
    }
    whole(hub, folder, 2)


def test_a_second_push_changes_nothing_and_says_so(hub: Hub, folder: Path) -> None:
    """No commit, no byte sent, no tag moved (huggingface/datasets#5045)."""
    pushed(folder, REPO)
    before = hub.repo().head, dict(hub.repo().tags), dict(hub.sent)
    done = good("push", folder, REPO)
    assert "is in " in done.err
    assert "already" in done.err
    assert (hub.repo().head, hub.repo().tags, dict(hub.sent)) == before
    assert pushed(folder, REPO)["state"] == "unchanged"


def test_versions_gather_in_a_repository(hub: Hub, folder: Path) -> None:
    """An older version may come later; each has its tag, and the newest is the default."""
    pushed(folder, REPO)
    pushed(f"{folder}@v1", REPO)
    whole(hub, folder, 1, 2)
    text = hub.repo().files["README.md"].data.decode()
    assert text.index("config_name: v2\n  default: true") < text.index("config_name: v1")
    assert hub.repo().tags["v2"] != hub.repo().tags["v1"]


def test_another_version_of_that_number_is_refused(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """What was published never changes: exit 2, and the repository is as it was."""
    pushed(folder, REPO)
    before = hub.repo().head
    other = tmp_path / "other"
    write(other, negatives(60, "c"))
    write(other, negatives(60, "d"), mark="d")
    said = refused(2, other, REPO)
    assert "has another v2" in said
    assert Dataset(folder).manifest(2)["digests"]["rows_digest"] in said
    assert hub.repo().head == before


def test_equal_rows_made_elsewhere_are_the_same_version(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """A dataset made again, at another time, is found to be there."""
    pushed(f"{folder}@v1", REPO)
    again = tmp_path / "again"
    write(again, negatives(60, "a"), shards=2)
    manifest = again / ".negforge/v1/manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"created": "2', '"created": "1'), encoding="utf-8")
    assert pushed(again, REPO)["state"] == "unchanged"


@pytest.mark.parametrize("path", ["data/v2/train-00000-of-00009.parquet", "data/v2/train-00000-of-00002.parquet", ".negforge/v2/dropped/x"])
def test_a_stray_file_where_the_version_goes_is_refused(hub: Hub, folder: Path, path: str) -> None:
    """Readers of the version would read it, too."""
    hub.make(files={path: b"not ours"})
    assert path in refused(2, folder, REPO)
    assert hub.repo().titles == ["initial commit"]


def test_a_shard_that_was_deleted_on_the_hub_comes_back(hub: Hub, folder: Path) -> None:
    """A push over a damaged version sends what is missing, and nothing else."""
    pushed(folder, REPO)
    lost = Dataset(folder).manifest(2)["shards"][0]["path"]
    del hub.repo().files[lost]
    done = pushed(folder, REPO)
    assert [one["path"] for one in done["files"] if not one["there"]] == [lost]
    whole(hub, folder, 2)


def test_a_file_that_is_not_the_published_one_does_not_go_up(hub: Hub, folder: Path) -> None:
    """Bytes are checked against the manifest before they are sent: exit 3."""
    shard = folder / Dataset(folder).manifest(2)["shards"][0]["path"]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    assert "is not the file v2 was published with" in refused(3, folder, REPO)
    assert not hub.sent
    shard.unlink()
    assert "is not the file v2 was published with" in refused(3, folder, REPO)


def test_dropped_rows_may_stay_at_home(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """They hold texts, too. What went up is a dataset all the same, and they may follow later."""
    pushed(folder, REPO, "--no-dropped")
    repo = hub.repo()
    assert not [path for path in repo.files if "/dropped/" in path]
    assert b"were not published" in repo.files["README.md"].data
    assert pushed(folder, REPO, "--no-dropped")["state"] == "unchanged"
    for path, blob in repo.files.items():
        (tmp_path / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / path).write_bytes(blob.data)
    rows = pl.concat(Dataset(tmp_path / "copy").source(2).batches(1000))
    assert rows.height == Dataset(folder).manifest(2)["rows"]
    pushed(folder, REPO)
    whole(hub, folder, 2)
    assert pushed(folder, REPO, "--no-dropped")["state"] == "unchanged"


def test_a_dry_run_writes_nothing_and_needs_no_token(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lists files and bytes, and what is there already; for a repository that is absent, too."""
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN_PATH", str(folder / "no-token"))
    plan = json.loads(good("push", folder, REPO, "--dry-run", "--json").out)
    assert (plan["exists"], plan["state"], {one["there"] for one in plan["files"]}) == (False, "planned", {False})
    assert hub.repos == {}
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pushed(f"{folder}@v1", REPO)
    before = hub.repo().head
    monkeypatch.delenv("HF_TOKEN")
    said = good("push", f"{folder}@v1", REPO, "--dry-run").err
    assert "would push v1" in said
    assert ": 0 files, 0 bytes" in said
    assert hub.repo().head == before


def test_a_dry_run_needs_no_hub(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one that answers the plan is the folder's, at once, and says that nobody was asked; a word of the Hub's stays an error."""
    asked = json.loads(good("push", folder, REPO, "--dry-run", "--json").out)
    monkeypatch.setattr("negforge.hub.time.sleep", lambda _: pytest.fail("it waits"))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr("negforge.hub._SILENCE_OF_A_PLAN", 0.2)
        for port in (9, silent.getsockname()[1]):
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
            done = good("push", folder, REPO, "--dry-run", "--json")
            plan = json.loads(done.out)
            assert (plan["exists"], {one["there"] for one in plan["files"]}) == (None, {None})
            assert [one["path"] for one in plan["files"]] == [one["path"] for one in asked["files"]]
            assert plan["unasked"] == f"http://127.0.0.1:{port} does not answer"
            assert "tag v2: at most 6 files, " in done.err
            assert f"could not be asked: http://127.0.0.1:{port} does not answer" in done.err
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.faults.append(Fault("GET /api/datasets", status=403))
    assert call("push", folder, REPO, "--dry-run").code == 4


def test_a_private_repository_is_made_private(hub: Hub, folder: Path) -> None:
    """And one that is public is not taken for private."""
    pushed(folder, REPO, "--private")
    assert hub.repo().private
    assert pushed(folder, REPO, "--private")["state"] == "unchanged"
    hub.make("me/open")
    assert "is there and public" in refused(2, folder, "me/open", "--private")
    assert hub.repo("me/open").titles == ["initial commit"]


def test_a_tag_of_ones_own(hub: Hub, folder: Path) -> None:
    """--tag names the commit; a tag that names something else is not moved, and nothing is sent."""
    pushed(folder, REPO, "--tag", "paper")
    assert hub.repo().tags == {"paper": hub.repo().head}
    assert "has a tag paper already" in refused(2, f"{folder}@v1", REPO, "--tag", "paper")
    assert hub.repo().titles[-1] == "Add v2"
    assert pushed(folder, REPO)["commit"] == hub.repo().tags["v2"] == hub.repo().tags["paper"]


@pytest.mark.parametrize(("words", "said"), [(["set"], "no repository"), (["a/b/c"], "no repository"), (["a/b", "--tag", " "], "be a tag")])
def test_names_are_checked_before_anything(hub: Hub, folder: Path, words: list[str], said: str) -> None:
    """A misspelt name is exit 2, and the Hub is not asked."""
    assert said in refused(2, folder, *words)
    assert not hub.asked


def test_what_is_no_dataset_is_not_pushed(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """A folder without versions, and a version that is not there."""
    assert "is not a dataset" in refused(3, tmp_path, REPO)
    assert "has no version v7" in refused(3, f"{folder}@v7", REPO)


# -- the card on the Hub -------------------------------------------------------------------------------------------------


def test_words_on_the_hub_stay(hub: Hub, folder: Path) -> None:
    """What a person wrote into the repository's card stays; --replace-card takes the folder's."""
    (folder / "README.md").write_text(
        f"---\nlicense: mit\n---\n\n# Mine\n\n{(folder / 'README.md').read_text(encoding='utf-8')}", encoding="utf-8"
    )
    hub.make(files={"README.md": b"---\nlicense: cc-by-4.0\n---\n\n# Theirs\n"})
    pushed(folder, REPO)
    text = hub.repo().files["README.md"].data.decode()
    assert text.startswith("---\nlicense: cc-by-4.0\n")
    assert "# Theirs" in text
    assert "`cc-by-4.0`, as the YAML" in text
    assert json.loads(hub.repo().files["croissant.json"].data)["license"] == "cc-by-4.0"
    assert pushed(folder, REPO, "--replace-card")["state"] == "pushed"
    assert "# Mine" in hub.repo().files["README.md"].data.decode()
    assert hub.repo().titles[-1] == "Update the card"


def test_a_licence_may_be_stated(hub: Hub, folder: Path) -> None:
    """--licence goes into the YAML, once; another one than stands there is refused."""
    pushed(folder, REPO, "--licence", "cc-by-4.0")
    assert hub.repo().files["README.md"].data.decode().count("license: cc-by-4.0") == 1
    assert pushed(folder, REPO, "--license", "cc-by-4.0")["state"] == "unchanged"
    assert "states the licence cc-by-4.0, not mit" in refused(2, folder, REPO, "--licence", "mit")


def test_a_licence_that_the_hub_does_not_know_is_the_persons_to_mend(hub: Hub, folder: Path) -> None:
    """The Hub's complaint about YAML is told; nothing is committed."""
    assert "does not take the card's YAML" in refused(3, folder, REPO, "--licence", "bad-licence")
    assert hub.repo().titles == ["initial commit"]


# -- a Hub that fails ----------------------------------------------------------------------------------------------------


def other_commit(hub: Hub) -> None:
    """Somebody commits."""
    hub.repo().commit(f"note {len(hub.repo().commits)}", {"note.txt": b"hello"})


def test_a_head_that_moves_is_looked_at_again(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """412: the card is made anew, with the version that came between (huggingface/datasets#7777, #7600)."""
    pushed(f"{folder}@v1", REPO)
    theirs = dict(hub.repo().files)
    hub.repos.clear()
    hub.make()
    tags = {}

    def come_between(hub: Hub) -> None:
        tags["v1"] = hub.repo().commit("Add v1", {path: blob for path, blob in theirs.items() if path != ".gitattributes"})
        hub.repo().tags.update(tags)

    hub.faults.append(Fault("POST .*/commit/", status=412, act=come_between))
    done = pushed(folder, REPO)
    assert done["state"] == "pushed"
    assert hub.repo().titles == ["initial commit", "Add v1", "Add v2"]
    from negforge.card import front_of

    assert [one["config_name"] for one in front_of(hub.repo().files["README.md"].data.decode())["configs"]] == ["v2", "v1"]
    assert max(hub.sent.values()) == 1


def test_a_head_that_never_stands_still_ends(hub: Hub, folder: Path) -> None:
    """Tries are few: exit 4, and nothing was sent twice."""
    hub.make()
    hub.faults.append(Fault("POST .*/commit/", status=412, act=other_commit, times=99))
    assert "others keep changing me/set" in refused(4, folder, REPO)
    assert sum(one.startswith("POST") and "/commit/" in one for one in hub.asked) == 5
    assert max(hub.sent.values()) == 1


@pytest.mark.parametrize(
    "match",
    [
        "GET /api/datasets",
        "GET .*/refs",
        "POST .*/repos/create",
        "POST .*/preupload",
        "POST .*/batch",
        "PUT",
        "POST .*/commit/",
        "POST .*/tag/",
    ],
)
@pytest.mark.parametrize("fault", ["503", "429", "cut", "landed and cut", "landed and 500"])
def test_one_failure_anywhere_is_lived_through(hub: Hub, folder: Path, match: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails once, before or after it was done: one commit, one tag, no byte twice (huggingface/datasets#6392)."""
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    status = 0 if "cut" in fault else int(fault[-3:])
    hub.faults.append(Fault(match, status=status, landed="landed" in fault, headers={"Retry-After": "7"} if status == 429 else {}))
    assert pushed(folder, REPO)["state"] == "pushed"
    assert hub.repo().titles == ["initial commit", "Add v2"]
    assert hub.faults[0].times == 0
    assert status != 429 or 7 in naps or 8 in naps
    if not (match == "PUT" and "landed" in fault):  # whose answer is lost, was it sent? the client asks by sending again
        whole(hub, folder, 2)


def test_a_commit_whose_answer_was_lost_is_not_made_again(hub: Hub, folder: Path) -> None:
    """500 after the commit: the look finds it, tags it, and the push counts as done."""
    hub.faults.append(Fault("POST .*/commit/", status=500, landed=True))
    done = pushed(folder, REPO)
    assert (done["state"], done["commit"]) == ("pushed", hub.repo().tags["v2"])
    assert hub.repo().titles == ["initial commit", "Add v2"]


def test_too_many_requests_end_with_when_to_come_again(hub: Hub, folder: Path) -> None:
    """A quota that comes back in an hour is not waited for (huggingface/datasets#6257, huggingface/huggingface_hub#3186, #2587)."""
    hub.faults.append(Fault("POST .*/commit/", status=429, headers={"Retry-After": "3600"}, times=9))
    assert "push again in 3,600 s" in refused(4, folder, REPO)
    hub.faults.clear()
    pushed(folder, REPO)
    whole(hub, folder, 2)


@pytest.mark.parametrize(("repo", "token", "said"), [("me/set", "wrong", "hf auth login"), ("you/set", TOKEN, "may not write to you/set")])
def test_who_may_not_write_is_told_what_to_do(
    hub: Hub, folder: Path, repo: str, token: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """401 and 403: exit 4 at once, with what to do."""
    monkeypatch.setenv("HF_TOKEN", token)
    said_all = refused(4, folder, repo)
    assert said in said_all
    assert token not in said_all
    assert sum("create" in one for one in hub.asked) == 1


def test_a_hub_that_is_not_there(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 4 after a few tries; a Hub switched off by the environment is said to be."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9 does not answer" in refused(4, folder, REPO)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refused(4, folder, REPO)


# -- a push that dies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(4))
def test_a_push_killed_at_any_moment_goes_on_where_it_was(hub: Hub, folder: Path, children: Children, part: int) -> None:
    """Ten moments each, amid a request, before or after it was served: never half a version, no file twice, one commit.

    Answers huggingface/datasets#5045 and #6392 (an interrupted push leaves a broken repository, or begins from zero).
    """
    job = {"job": "push", "path": folder, "hub": hub.url, "token": TOKEN, "repo": REPO}
    before = part % 2  # versions that are there already
    random_ = random.Random(part)

    def begin() -> int:
        hub.forget()
        if before:
            pushed(f"{folder}@v1", REPO)
        return len(hub.asked)

    first = begin()
    (done,) = children.run(job)
    assert done["state"] == "pushed"
    requests = range(first + 1, len(hub.asked) + 1)
    for number, moment in random_.sample([(number, moment) for number in requests for moment in ("before", "amid", "after")], 10):
        begin()
        hub.kill = number, moment
        (died,) = children.run(job)
        assert died["killed"], (number, moment)
        if REPO in hub.repos:
            files = hub.repo().files
            landed = ".negforge/v2/manifest.json" in files
            assert {path for path in files if "/v2/" in path} == ({*_paths(folder, 2)} if landed else set())
        hub.kill = None
        good("push", folder, REPO)
        whole(hub, folder, *([1, 2] if before else [2]))
        assert hub.repo().titles == ["initial commit", *(["Add v1"] if before else []), "Add v2"]


def test_pushes_at_once_all_land(hub: Hub, folder: Path, children: Children) -> None:
    """Two versions, and one of them twice, into a repository that is not there yet: each lands once (huggingface/datasets#7600)."""
    job = {"job": "push", "hub": hub.url, "token": TOKEN, "repo": REPO}
    done = children.run({**job, "path": folder}, {**job, "path": f"{folder}@v1"}, {**job, "path": folder})
    assert [one["code"] for one in done] == [0, 0, 0]
    assert sorted(hub.repo().titles) == ["Add v1", "Add v2", "initial commit"]
    hub.sent.subtract([sha for sha, times in hub.sent.items() if times == 2])  # two may send a file at the same time
    whole(hub, folder, 1, 2)


def _paths(folder: Path, version: int) -> list[str]:
    manifest = Dataset(folder).manifest(version)
    return [f".negforge/v{version}/manifest.json", *(file["path"] for file in [*manifest["shards"], *manifest["dropped"]["shards"]])]


def test_an_interrupted_push_says_what_a_rerun_does(hub: Hub, folder: Path) -> None:
    """Ctrl-C while a file is on its way: 130 at once, and the same command goes on."""
    there = threading.Event()
    hold = threading.Event()

    def wait(_: Hub) -> None:
        there.set()
        hold.wait(30)

    hub.faults.append(Fault("PUT", status=503, act=wait))
    process = start("push", folder, REPO, env={**os.environ, **child(hub)})
    assert there.wait(60)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    hold.set()
    assert process.returncode == 130
    assert out == b""
    assert b"interrupted: the repository is as it was, or has the whole version; the same command goes on" in err
    assert TOKEN.encode() not in err
    pushed(folder, REPO)
    whole(hub, folder, 2)


# -- what was pushed is read -----------------------------------------------------------------------------------------------


def rows_of(spec: str) -> pl.DataFrame:
    """All rows of an input, as a stage reads them."""
    (source,) = open_sources(spec)
    return pl.concat(source.batches(1000), how="diagonal")


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the client."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "client-cache"))
    return tmp_path / "client-cache"


@pytest.mark.parametrize(
    ("address", "version"),
    [("hf://me/set", 2), ("hf://datasets/me/set/v1", 1), ("hf://me/set@v1", 1), ("hf://me/set/v1@main:train", 1), ("hf://me/set@v2", 2)],
)
def test_what_was_pushed_is_read_as_it_is_here(hub: Hub, folder: Path, cache: Path, address: str, version: int) -> None:
    """Kind, clustering, stages, and every row, the dropped ones, too."""
    pushed(f"{folder}@v1", REPO)
    pushed(folder, REPO)
    (there,), (here,) = open_sources(address), open_sources(f"{folder}@v{version}")
    assert (there.kind, there.clustered, there.history) == (here.kind, here.clustered, here.history)
    assert rows_of(address).equals(rows_of(f"{folder}@v{version}"))


def test_a_stage_takes_what_was_pushed(hub: Hub, folder: Path, cache: Path, tmp_path: Path) -> None:
    """The same rows come out as from the folder; without the dropped ones where these were left out."""
    pushed(folder, REPO)
    good("filter", "top", folder, "--k", "1", "-o", tmp_path / "here.parquet")
    good("filter", "top", "hf://me/set", "--k", "1", "-o", tmp_path / "there.parquet")
    assert pl.read_parquet(tmp_path / "there.parquet").equals(pl.read_parquet(tmp_path / "here.parquet"))
    pushed(f"{folder}@v1", "me/short", "--no-dropped")
    assert rows_of("hf://me/short").height == Dataset(folder).manifest(1)["rows"]


def test_a_file_that_was_changed_on_the_hub_is_refused(hub: Hub, folder: Path, cache: Path) -> None:
    """Its sha256 is not that of the manifest: exit 3."""
    pushed(folder, REPO)
    path = Dataset(folder).manifest(2)["shards"][0]["path"]
    blob = hub.repo().files[path]
    hub.repo().files[path] = Blob(bytes([*blob.data[:-9], 1, *blob.data[-8:]]), lfs=True, since=blob.since)
    done = call("filter", "top", "hf://me/set", "--k", "1", "-o", folder.parent / "x.parquet")
    assert done.code == 3
    assert "is not the file v2 was published with" in done.err


def test_a_version_that_is_not_on_the_hub_is_named_with_those_that_are(hub: Hub, folder: Path, cache: Path) -> None:
    """Exit 3, and what there is."""
    pushed(folder, REPO)
    with pytest.raises(InputError, match="has no version v7") as caught:
        open_sources("hf://me/set/v7")
    assert caught.value.where == "it has v2"


def test_reading_lives_through_failures(hub: Hub, folder: Path, cache: Path) -> None:
    """A Hub that stumbles is asked again; one that does not answer is exit 4."""
    pushed(folder, REPO)
    hub.faults += [Fault("GET /api/datasets/me/set", status=503), Fault("GET .*/resolve/.*parquet", status=0)]
    assert rows_of("hf://me/set").height == rows_of(str(folder)).height
    hub.faults.append(Fault("GET /api/datasets/me/set", status=500, times=99))
    assert call("filter", "top", "hf://me/set", "--k", "1", "-o", folder.parent / "x.parquet").code == 4


def test_the_readme_is_true_of_publishing(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands of its section run as they stand."""
    write(tmp_path / "out/dataset", negatives(60))
    for name, value in child(hub).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    (block,) = re.findall(r"## Publishing\n\n```text\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in block.splitlines():
        done = shell(line.removeprefix("$ "), tmp_path)
        assert done.code == 0, done.err
    assert hub.repo("me/negatives").titles == ["initial commit", "Add v1"]
    assert Dataset(tmp_path / "out/best").newest() == 1


def test_datasets_loads_what_was_pushed(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """`load_dataset` from the Hub, by name, by tag and as a stream, gives the rows that the folder has."""
    pushed(f"{folder}@v1", REPO)
    pushed(folder, REPO)
    code = """
import sys, datasets
for name, more in (("v2", {}), (None, {}), ("v1", {}), ("v1", {"revision": "v1"}), (None, {"revision": "v1"}), ("v2", {"streaming": True})):
    print(sorted(datasets.load_dataset("me/set", name, split="train", **more)["id"]))
"""
    env = {**os.environ, **child(hub), "HF_HOME": str(tmp_path / "home"), "HF_DATASETS_CACHE": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    found = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    first, second = (sorted(pl.read_parquet(folder / f"data/v{version}/*.parquet")["id"]) for version in (1, 2))
    assert found == [second, second, first, first, first, second]
