"""Downloads against a real HTTP server on 127.0.0.1 that serves a tree made here, and misbehaves on demand."""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgkd.data.catalogue import find_corpus
from ecgkd.data.fetch import Fetching
from ecgkd.data.physionet import download, parse_manifest
from ecgkd.errors import DataError, NetworkError, UsageError

pytestmark = pytest.mark.network
CORPUS = find_corpus("ecgid")
QUICK = Fetching(retries=2, backoff=0.01, timeout=5)
FILES = {
    "RECORDS": b"Person_01/rec_1\n",
    "Person_01/rec_1.hea": b"rec_1 1 500 10000\n",
    "Person_01/rec_1.dat": np.random.default_rng(1).bytes(300_000),
    "Person_01/rec 2#.dat": np.random.default_rng(2).bytes(5_000),
    "Person_02/empty.txt": b"",
}


@dataclass
class Site:
    address: str
    behaviour: Any
    tree: Path

    def asked(self, name: str) -> list[str]:
        return [wanted for path, wanted in self.behaviour.log if path == name]

    def get(self, folder: Path, how: Fetching = QUICK, **rest):
        return download(CORPUS, folder, base_url=self.address, how=how, **rest)


def lay_out(tree: Path, files: dict[str, bytes]) -> None:
    lines = []
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()} {name}")
    (tree / "SHA256SUMS.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def site(tmp_path_factory, serve):
    tree = tmp_path_factory.mktemp("tree")
    lay_out(tree, FILES)
    address, behaviour = serve(tree, "/files/ecgiddb/1.0.0/")
    return Site(f"{address}/files", behaviour, tree)


def whole(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in FILES.items())


def parts(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


def test_a_set_is_brought_whole_with_its_note(site, tmp_path):
    told: list[tuple[int, int, str]] = []
    done = site.get(tmp_path / "ecgid", progress=lambda *step: told.append(step))
    assert whole(tmp_path / "ecgid")
    assert not parts(tmp_path)
    assert (done.files, done.present, sorted(done.fetched)) == (5, 0, sorted(FILES))
    assert done.received == sum(map(len, FILES.values()))
    assert told[-1][:2] == (5, 5)
    note = json.loads((tmp_path / "ecgid" / "ecgkd-source.json").read_text())
    assert (note["key"], note["licence"]) == ("ecgid", "ODC-BY-1.0")
    assert "Goldberger" in note["cite"]


def test_a_second_download_fetches_only_the_list(site, tmp_path):
    site.get(tmp_path / "d")
    site.behaviour.log.clear()
    done = site.get(tmp_path / "d")
    assert (done.present, done.fetched, done.received) == (5, [], 0)
    assert site.behaviour.log == [("SHA256SUMS.txt", "")]


def test_a_file_that_was_changed_here_is_fetched_again(site, tmp_path):
    site.get(tmp_path / "d")
    (tmp_path / "d" / "RECORDS").write_text("tampered")
    assert site.get(tmp_path / "d").fetched == ["RECORDS"]
    assert whole(tmp_path / "d")


def test_a_cut_connection_goes_on_with_the_missing_bytes(site, tmp_path):
    site.behaviour.cut_after["Person_01/rec_1.dat"] = [100_000, 50_000]
    done = site.get(tmp_path / "d")
    assert whole(tmp_path / "d")
    ranges = site.asked("Person_01/rec_1.dat")
    assert len(ranges) == 3
    assert ranges[0] == ""
    starts = [int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) for wanted in ranges[1:]]
    assert 0 < starts[0] <= 100_000
    assert starts[0] < starts[1] <= 150_000
    assert done.received == sum(map(len, FILES.values()))


def test_what_a_failed_download_left_is_resumed_by_the_next_call(site, tmp_path):
    name = "Person_01/rec_1.dat"
    site.behaviour.cut_after[name] = [120_000, 0, 0, 0]
    with pytest.raises(NetworkError, match="the connection was cut; run the same command again"):
        site.get(tmp_path / "d")
    (part,) = parts(tmp_path)
    kept = part.stat().st_size
    assert 0 < kept <= 120_000
    assert FILES[name].startswith(part.read_bytes())
    assert not (tmp_path / "d" / name).exists()
    site.behaviour.log.clear()
    done = site.get(tmp_path / "d")
    assert whole(tmp_path / "d")
    assert site.asked(name) == [f"bytes={kept}-"]
    assert done.received <= sum(map(len, FILES.values())) - kept


def test_a_server_without_ranges_sends_the_file_again(site, tmp_path):
    site.behaviour.ranges = False
    site.behaviour.cut_after["Person_01/rec_1.dat"] = [100_000]
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")


def test_a_part_that_is_whole_already_is_only_checked(site, tmp_path):
    target = tmp_path / "d" / "Person_01" / "rec_1.dat"
    target.parent.mkdir(parents=True)
    target.with_name("rec_1.dat.part").write_bytes(FILES["Person_01/rec_1.dat"])
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")
    assert site.asked("Person_01/rec_1.dat") == ["bytes=300000-"]


def test_a_part_of_another_version_is_thrown_away(site, tmp_path):
    target = tmp_path / "d" / "Person_01" / "rec_1.dat"
    target.parent.mkdir(parents=True)
    target.with_name("rec_1.dat.part").write_bytes(b"old" * 50_000)
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")


def test_a_damaged_file_is_fetched_once_more(site, tmp_path):
    site.behaviour.corrupt["Person_01/rec_1.dat"] = 1
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")


def test_a_wrong_checksum_twice_is_an_error_and_leaves_nothing_under_the_name(site, tmp_path):
    site.behaviour.corrupt["Person_01/rec_1.dat"] = 9
    with pytest.raises(NetworkError, match=r"rec_1.dat: its checksum is wrong, twice"):
        site.get(tmp_path / "d")
    assert not (tmp_path / "d" / "Person_01" / "rec_1.dat").exists()
    assert not parts(tmp_path)
    assert not (tmp_path / "d" / "ecgkd-source.json").exists()


def test_passing_server_troubles_are_waited_out(site, tmp_path):
    site.behaviour.status = {"SHA256SUMS.txt": [503, 429], "RECORDS": [500, 503]}
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")
    assert Counter(name for name, _ in site.behaviour.log)["RECORDS"] == 3


def test_lasting_server_troubles_are_an_error(site, tmp_path):
    site.behaviour.status = {"RECORDS": [503] * 9}
    with pytest.raises(NetworkError, match="RECORDS: the server answered 503"):
        site.get(tmp_path / "d")


@pytest.mark.parametrize(("code", "words"), [(404, "not found there"), (403, "the set needs an account")])
def test_a_refusal_is_not_repeated(site, tmp_path, code, words):
    site.behaviour.status = {"SHA256SUMS.txt": [code] * 9}
    with pytest.raises(NetworkError, match=words):
        site.get(tmp_path / "d")
    assert len(site.behaviour.log) == 1
    assert not (tmp_path / "d").exists()


def test_a_missing_file_is_named(site, tmp_path):
    (site.tree / "RECORDS").unlink()
    with pytest.raises(NetworkError, match="RECORDS: the server answered 404"):
        site.get(tmp_path / "d")


def test_nobody_there_is_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NetworkError, match="nobody answers there") as caught:
        download(CORPUS, tmp_path / "d", base_url=f"http://127.0.0.1:{port}", how=QUICK)
    assert caught.value.exit_code == 4
    assert not (tmp_path / "d").exists()


def test_a_silent_server_is_one_line(tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(NetworkError, match="the server went silent"):
            download(CORPUS, tmp_path / "d", base_url=address, how=Fetching(retries=1, backoff=0.01, timeout=0.2))


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "C:\\evil", "a\\..\\evil", "./../evil", "a/\x07b"]
)
def test_names_that_would_leave_the_folder_are_refused(site, tmp_path, name):
    (site.tree / "SHA256SUMS.txt").write_text(f"{'0' * 64} RECORDS\n{'0' * 64} {name}\n")
    with pytest.raises(NetworkError, match=r"line 2 names .* which would leave the folder; refused"):
        site.get(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_list_is_read_in_both_notations_and_nothing_else():
    digest = "A" * 64
    assert parse_manifest(f"{digest}  a/b\n{digest} *./c\n\n", "w") == {"a/b": "a" * 64, "c": "a" * 64}
    for text in ("<html>login</html>", "", "abc  name"):
        with pytest.raises(NetworkError):
            parse_manifest(text, "w")


def test_only_some_files_are_brought_with_those_at_the_top(site, tmp_path):
    done = site.get(tmp_path / "d", only=["Person_02/*"])
    assert sorted(done.fetched) == ["Person_02/empty.txt", "RECORDS"]
    with pytest.raises(UsageError, match=r"no file fits Person_99/\*"):
        site.get(tmp_path / "d", only=["Person_99/*"])


def test_a_dry_run_writes_nothing(site, tmp_path):
    done = site.get(tmp_path / "d", dry_run=True)
    assert (done.files, done.present) == (5, 0)
    assert not (tmp_path / "d").exists()
    assert site.behaviour.log == [("SHA256SUMS.txt", "")]


def test_sets_that_lie_elsewhere_and_strange_addresses_are_refused(tmp_path):
    with pytest.raises(UsageError, match="heartprint: cannot be downloaded by ecgkd; get it from"):
        download(find_corpus("heartprint"), tmp_path)
    with pytest.raises(UsageError, match="no address to download from"):
        download(CORPUS, tmp_path, base_url="file:///etc")


def test_the_environment_names_a_mirror(site, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGKD_PHYSIONET", site.address)
    download(CORPUS, tmp_path / "d", how=QUICK)
    assert whole(tmp_path / "d")


def test_ctrl_c_leaves_what_the_next_call_resumes(site, tmp_path):
    site.behaviour.pause = 0.3
    words = [sys.executable, "-c", CHILD, site.address, str(tmp_path / "d")]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "going\n"
    os.kill(child.pid, signal.SIGINT)
    rest = child.communicate(timeout=20)[0]
    assert rest.strip() == "interrupted"
    (part,) = [path for path in parts(tmp_path) if path.name == "rec_1.dat.part"]
    kept = part.stat().st_size
    assert 0 < kept < 300_000
    site.behaviour.pause = 0
    site.behaviour.log.clear()
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")
    assert site.asked("Person_01/rec_1.dat") == [f"bytes={kept}-"]


CHILD = """
import sys
from ecgkd.data.catalogue import find_corpus
from ecgkd.data.physionet import download

def tell(done, total, what):
    if what.startswith("(") and what != "(0.0 MB)" and not told:
        told.append(what)
        print("going", flush=True)

told = []
try:
    download(find_corpus("ecgid"), sys.argv[2], base_url=sys.argv[1], progress=tell)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_one_line_and_the_rest_is_resumed(site, tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here")
    try:
        with pytest.raises(DataError, match="the disk is full"):
            site.get(place / "d")
        subprocess.run(["mount", "-o", "remount,size=4m", str(place)], check=True)
        site.get(place / "d")
        assert whole(place / "d")
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root to become an unprivileged user")
def test_without_permission_to_write_one_line(site, roots_place):
    code = (
        "import encodings.idna, os, sys\n"  # what such a user may no longer read
        "from ecgkd.data.catalogue import find_corpus; from ecgkd.data.physionet import download\n"
        "from ecgkd.errors import DataError\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: download(find_corpus('ecgid'), sys.argv[2], base_url=sys.argv[1])\n"
        "except DataError as error: print(error)\n"
    )
    words = [sys.executable, "-c", code, site.address, str(roots_place / "d")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert "no permission to write there" in ran.stdout, ran.stderr
    assert not (roots_place / "d").exists()
