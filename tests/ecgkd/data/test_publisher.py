"""Downloads from publishers that give no checksums, against an HTTP server on 127.0.0.1 that misbehaves on demand."""

import contextlib
import hashlib
import io
import json
import os
import pickle
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ecgkd.cli.data import register
from ecgkd.data.catalogue import CATALOGUE, find_corpus
from ecgkd.data.corpus import Corpus, Remote
from ecgkd.data.download import Fetching, download
from ecgkd.data.fetch import _is_final, _Redirects
from ecgkd.data.fetch_many import Download
from ecgkd.data.prepare import prepare
from ecgkd.data.prepared import open_set
from ecgkd.errors import DataError, NetworkError, UsageError

pytestmark = pytest.mark.network
QUICK = Fetching(retries=2, backoff=0.01, timeout=5)
RNG = np.random.default_rng(0)
app = typer.Typer()
app.callback()(lambda: None)
register(app)


def log_of_mhealth(activity: int) -> bytes:
    table = RNG.normal(size=(300, 24)).round(3)
    table[:, 23] = activity
    text = io.StringIO()
    np.savetxt(text, table, delimiter="\t", fmt="%.3f")
    return text.getvalue().encode()


LOGS = {f"MHEALTHDATASET/mHealth_subject{i}.log": log_of_mhealth(i) for i in (2, 4)}


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ARCHIVE = packed({"MHEALTHDATASET/README.txt": b"...", **LOGS}, zipfile.ZIP_STORED)
NAME = "mhealth+dataset.zip"


@dataclass
class Site:
    address: str
    behaviour: Any
    tree: Path

    def asked(self, name: str) -> list[str]:
        return [wanted for path, wanted in self.behaviour.log if path == name]

    def get(self, folder: Path, key: str = "mhealth", **rest: Any) -> Download:
        return download(find_corpus(key), folder, base_url=self.address, how=QUICK, **rest)


@pytest.fixture
def site(tmp_path_factory, serve):
    tree = tmp_path_factory.mktemp("tree")
    (tree / NAME).write_bytes(ARCHIVE)
    address, behaviour = serve(tree, "/")
    return Site(address, behaviour, tree)


def whole(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in LOGS.items())


def leftovers(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.rglob("*")
        if path.is_file() and path.name.endswith((".part", ".edition", ".tmp", ".inner"))
    )


def test_an_archive_comes_is_unpacked_and_prepared(site, tmp_path):
    done = site.get(tmp_path / "d")

    digest = hashlib.sha256(ARCHIVE).hexdigest()
    assert whole(tmp_path / "d")
    assert (done.fetched, done.first, done.sha256) == ([NAME], [NAME], {NAME: digest})
    assert sorted(done.unpacked) == sorted(LOGS)
    assert (tmp_path / "d" / "SHA256SUMS.txt").read_text() == f"{digest}  {NAME}\n"
    assert not leftovers(tmp_path)
    prepare(tmp_path / "d", tmp_path / "m.npz")
    found = open_set(tmp_path / "m.npz")
    assert (found.subject.tolist(), found.activity.tolist()) == (["mh2", "mh4"], ["rest", "walk"])
    assert found.info["licence"].startswith("CC-BY-4.0")


def test_the_second_download_fetches_nothing_and_needs_no_archive(site, tmp_path):
    site.get(tmp_path / "d")
    site.behaviour.log.clear()
    again = site.get(tmp_path / "d")
    (tmp_path / "d" / NAME).unlink()
    third = site.get(tmp_path / "d")

    assert site.behaviour.log == []
    assert (again.fetched, again.first, again.present, third.present) == ([], [], 1, 1)


def test_a_recording_that_went_is_unpacked_again(site, tmp_path):
    site.get(tmp_path / "d")
    (tmp_path / "d" / next(iter(LOGS))).write_bytes(b"cut")
    site.behaviour.log.clear()
    site.get(tmp_path / "d")

    assert whole(tmp_path / "d")
    assert site.behaviour.log == []


def test_another_archive_than_the_first_time_is_refused_and_kept_aside(site, tmp_path):
    site.get(tmp_path / "d")
    first = hashlib.sha256(ARCHIVE).hexdigest()
    for path in (tmp_path / "d" / NAME, *(tmp_path / "d" / name for name in LOGS)):
        path.unlink()
    (site.tree / NAME).write_bytes(packed(LOGS))

    with pytest.raises(NetworkError, match=f"not what came the first time .*then {first}") as caught:
        site.get(tmp_path / "d")

    assert caught.value.exit_code == 4
    assert not (tmp_path / "d" / NAME).exists()
    assert not whole_any(tmp_path / "d")
    renewed = tmp_path / "d" / f"{NAME}.new"
    with pytest.raises(NetworkError, match="not what came the first time"):
        site.get(tmp_path / "d", given=renewed)
    (tmp_path / "d" / "SHA256SUMS.txt").unlink()
    done = site.get(tmp_path / "d", given=renewed)
    assert whole(tmp_path / "d")
    assert done.first == [NAME]


def whole_any(folder: Path) -> bool:
    return any((folder / name).exists() for name in LOGS)


def test_an_archive_that_was_changed_here_is_refused(site, tmp_path):
    site.get(tmp_path / "d", only=["*subject2*"])
    assert not (tmp_path / "d" / "MHEALTHDATASET" / "mHealth_subject4.log").exists()
    (tmp_path / "d" / NAME).write_bytes(packed(LOGS))
    with pytest.raises(NetworkError, match="not what came the first time"):
        site.get(tmp_path / "d")


def test_a_cut_connection_goes_on_with_the_missing_bytes(site, tmp_path):
    site.behaviour.cut_after[NAME] = [len(ARCHIVE) // 3]
    done = site.get(tmp_path / "d")
    first, second = site.asked(NAME)
    assert whole(tmp_path / "d")
    assert first == ""
    assert second.startswith("bytes=")
    assert done.received == len(ARCHIVE)


def test_a_server_without_ranges_sends_it_again(site, tmp_path):
    site.behaviour.ranges = False
    site.behaviour.cut_after[NAME] = [len(ARCHIVE) // 3]
    site.get(tmp_path / "d")
    assert whole(tmp_path / "d")


def test_what_is_left_of_an_older_edition_is_not_continued(site, tmp_path):
    site.behaviour.edition = '"one"'
    site.behaviour.cut_after[NAME] = [len(ARCHIVE) // 3, 0, 0, 0]
    with pytest.raises(NetworkError, match="the connection was cut; run the same command again"):
        site.get(tmp_path / "d")
    assert leftovers(tmp_path / "d") == [f"{NAME}.part", f"{NAME}.part.edition"]
    site.behaviour.edition = '"two"'
    renewed = packed({**LOGS, "MHEALTHDATASET/mHealth_subject5.log": log_of_mhealth(5)})
    (site.tree / NAME).write_bytes(renewed)

    done = site.get(tmp_path / "d")

    assert whole(tmp_path / "d")
    assert done.received == len(renewed)
    assert not leftovers(tmp_path)


def test_a_further_address_is_tried_where_one_has_gone(site, tmp_path):
    corpus = find_corpus("mhealth")
    assert corpus.offer is not None
    (site.tree / "page.zip").write_text("<html>this share has ended</html>")
    urls = tuple(f"{site.address}/{name}" for name in ("gone.zip", "page.zip", NAME))
    corpus = replace(corpus, offer=replace(corpus.offer, files=(Remote(NAME, urls, len(ARCHIVE)),)))
    done = download(corpus, tmp_path / "d", how=QUICK)
    assert whole(tmp_path / "d")
    assert not done.notes


def test_a_moved_archive_says_where_to_look_and_leaves_no_folder(site, tmp_path):
    (site.tree / NAME).unlink()
    with pytest.raises(NetworkError, match=r"answered 404.*archive.ics.uci.edu/dataset/319.*--from FILE") as caught:
        site.get(tmp_path / "d")
    assert caught.value.exit_code == 4
    assert not (tmp_path / "d").exists()
    assert len(site.behaviour.log) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><title>Please agree</title>", "a web page instead: the address has moved, or wants a click"),
        (b"\x1f\x8b\x08 something else", "no archive"),
        (b"", "no archive"),
        (ARCHIVE[:-30], "cut off, or damaged on the way"),
    ],
)
def test_what_is_no_whole_archive_is_refused(site, tmp_path, content, words):
    site.behaviour.length = False
    (site.tree / NAME).write_bytes(content)
    with pytest.raises(NetworkError, match=f"not a whole ZIP archive .{words}"):
        site.get(tmp_path / "d")
    assert not [path for path in (tmp_path / "d").rglob("*") if path.is_file()]


def evil(name: str, content: bytes = b"x", **about: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        for field, value in about.items():
            setattr(info, field, value)
        archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../mHealth_subject1.log", "would leave the folder"),
        ("/tmp/mHealth_subject1.log", "would leave the folder"),
        ("a/../../mHealth_subject1.log", "would leave the folder"),
        ("C:\\mHealth_subject1.log", "would leave the folder"),
        ("..\\..\\README.txt", "would leave the folder"),
        ("other.log", r"no member of it is \*mHealth_subject\*.log; is it the archive of this set\?"),
        ("__MACOSX/._mHealth_subject1.log", "no member of it is"),
    ],
)
def test_an_archive_whose_names_do_harm_is_refused(site, tmp_path, name, words):
    (site.tree / NAME).write_bytes(evil(name))
    with pytest.raises(DataError, match=words):
        site.get(tmp_path / "d")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [NAME]


def test_links_and_encrypted_members_are_refused(site, tmp_path):
    link = evil("mHealth_subject1.log", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16)
    (site.tree / NAME).write_bytes(link)
    with pytest.raises(DataError, match="is a link; refused"):
        site.get(tmp_path / "d")
    locked = bytearray(evil("mHealth_subject1.log"))
    for place in (6, locked.index(b"PK\x01\x02") + 8):
        locked[place] |= 1
    (site.tree / NAME).write_bytes(bytes(locked))
    with pytest.raises(DataError, match="is encrypted"):
        site.get(tmp_path / "e")


def test_two_members_of_one_name_are_refused(site, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mHealth_subject1.log", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("mHealth_subject1.log", b"two")
    (site.tree / NAME).write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match="two members are called"):
        site.get(tmp_path / "d")


def test_a_bomb_is_refused_before_anything_is_written(tmp_path):
    corpus = find_corpus("mhealth")
    assert corpus.offer is not None
    corpus = replace(corpus, offer=replace(corpus.offer, most=1_000_000))
    (tmp_path / "bomb.zip").write_bytes(packed({"mHealth_subject1.log": bytes(1_100_000)}))
    (tmp_path / "inner.zip").write_bytes(packed({"MHEALTHDATASET.zip": bytes(1_100_000)}))
    for name, words in (("bomb.zip", "would hold 0.0 GB unpacked, this set has at most"), ("inner.zip", "refused")):
        with pytest.raises(DataError, match=words):
            download(corpus, tmp_path / "d", given=tmp_path / name)
    assert not (tmp_path / "d").exists()


def test_a_damaged_member_is_refused_and_does_not_stay(site, tmp_path):
    content = bytearray(ARCHIVE)
    place = ARCHIVE.index(LOGS["MHEALTHDATASET/mHealth_subject4.log"][:50])
    content[place] ^= 1
    (site.tree / NAME).write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"mHealth_subject4.log is damaged .*; fetch the archive again"):
        site.get(tmp_path / "d")
    assert not (tmp_path / "d" / "MHEALTHDATASET" / "mHealth_subject4.log").exists()
    assert not (tmp_path / "d" / "SHA256SUMS.txt").exists()


def test_an_archive_fetched_by_hand_is_taken_from_where_it_lies_or_from_the_folder(tmp_path):
    (tmp_path / "mine.zip").write_bytes(ARCHIVE)
    done = download(find_corpus("mhealth"), tmp_path / "d", given=tmp_path / "mine.zip")
    assert whole(tmp_path / "d")
    assert done.first == [NAME]
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / NAME).write_bytes(ARCHIVE)
    download(find_corpus("mhealth"), tmp_path / "e", base_url="http://127.0.0.1:1", how=QUICK)
    assert whole(tmp_path / "e")
    with pytest.raises(DataError, match=r"none.zip: no such file"):
        download(find_corpus("mhealth"), tmp_path / "f", given=tmp_path / "none.zip")
    with pytest.raises(UsageError, match="--from is for archives"):
        download(find_corpus("ecgid"), tmp_path / "f", given=tmp_path / "mine.zip")


def test_too_little_room_is_told_before_anything_is_fetched(site, tmp_path):
    corpus = find_corpus("mhealth")
    assert corpus.offer is not None
    huge = replace(corpus, offer=replace(corpus.offer, room=10**18))
    with pytest.raises(DataError, match=r"needs 1000000000.* GB, .* GB are free; the disk is full"):
        download(huge, tmp_path / "d", base_url=site.address, how=QUICK)
    assert site.behaviour.log == []
    assert not (tmp_path / "d").exists()


def test_a_size_that_nobody_saw_before_is_told(site, tmp_path):
    assert site.get(tmp_path / "d").notes == [f"{NAME} has 0.1 MB; when others fetched it, 75.0"]


def belt(activity: str, rate: int) -> bytes:
    step = 3 / 65536
    ecg = np.rint(RNG.normal(0, 0.3, (700 * 10, 1)) / step) * step
    numbers = np.ones(10 * rate)
    return pickle.dumps({"signal": {"chest": {"ECG": ecg, "ACC": ecg}}, activity: numbers}, protocol=2)


def test_the_archive_inside_the_archive_of_ppg_dalia_is_read(site, tmp_path):
    inner = {"PPG_FieldStudy/S1/S1.pkl": belt("activity", 4), "PPG_FieldStudy/S1/S1_E4.zip": b"..."}
    (site.tree / "ppg+dalia.zip").write_bytes(packed({"data.zip": packed(inner), "readme.txt": b""}))
    done = site.get(tmp_path / "d", "ppg_dalia")
    assert done.unpacked == ["PPG_FieldStudy/S1/S1.pkl"]
    assert sorted(path.name for path in (tmp_path / "d").rglob("*.*")) == [
        ".ecgkd-unpacked.json", "S1.pkl", "SHA256SUMS.txt", "ecgkd-source.json", "ppg+dalia.zip",
    ]  # fmt: skip
    prepare(tmp_path / "d", tmp_path / "d.npz")
    found = open_set(tmp_path / "d.npz")
    assert (found.activity.tolist(), found.fs, found.gain_known) == (["rest"], 500, True)


class Harm:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.place),)


def test_a_program_inside_the_archive_of_wesad_is_not_run(site, tmp_path):
    members = {"WESAD/S2/S2.pkl": pickle.dumps({"signal": Harm(tmp_path / "harm")})}
    (site.tree / "WESAD.zip").write_bytes(packed(members))
    with pytest.raises(DataError, match=r"S2.pkl: .*mkdir, which is no array"):
        site.get(tmp_path / "d", "wesad")
    assert not (tmp_path / "harm").exists()
    assert not (tmp_path / "d" / "WESAD").exists()


@pytest.fixture
def few() -> Corpus:
    """Glasgow's set with four files."""
    corpus = find_corpus("gudb")
    assert corpus.offer is not None
    return replace(corpus, offer=replace(corpus.offer, files=corpus.offer.files[:4], room=0))


def tsv() -> bytes:
    return "\n".join("\t".join(f"{value:e}" for value in row) for row in RNG.normal(0, 1e-3, (1100, 6))).encode()


def lay_out(tree: Path, corpus: Corpus, n: int) -> list[str]:
    assert corpus.offer is not None
    names = [remote.name for remote in corpus.offer.files[:n]]
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(tsv())
    return names


def test_files_side_by_side_come_and_those_that_are_not_there_are_told(site, tmp_path, few):
    names = lay_out(site.tree, few, 3)
    done = download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    assert sorted(done.fetched) == sorted(done.first) == sorted(names)
    assert done.missing == ["subject_00/hand_bike/ECG.tsv"]
    assert len((tmp_path / "g" / "SHA256SUMS.txt").read_text().splitlines()) == 3
    again = download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    assert (again.present, again.fetched, again.first) == (3, [], [])
    prepare(tmp_path / "g", tmp_path / "g.npz")
    assert sorted(open_set(tmp_path / "g.npz").activity.tolist()) == ["maths", "rest", "walk"]


def test_files_side_by_side_are_compared_with_the_first_time(site, tmp_path, few):
    (name, *_) = lay_out(site.tree, few, 4)
    download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    (tmp_path / "g" / name).write_text("cut")
    download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    assert (tmp_path / "g" / name).read_bytes() == (site.tree / name).read_bytes()
    (tmp_path / "g" / name).unlink()
    (site.tree / name).write_bytes(tsv())
    with pytest.raises(NetworkError, match=r"sitting/ECG.tsv: not what came the first time"):
        download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    assert not (tmp_path / "g" / name).exists()


def test_moved_files_and_pages_instead_of_them_are_errors(site, tmp_path, few):
    with pytest.raises(NetworkError, match=r"answered 404.*researchdata.gla.ac.uk/716"):
        download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    for name in lay_out(site.tree, few, 4):
        (site.tree / name).write_text("<html>moved</html>")
    with pytest.raises(NetworkError, match="a web page or nothing came instead of a recording"):
        download(few, tmp_path / "g", base_url=site.address, how=QUICK)
    with pytest.raises(UsageError, match="no file fits subject_77"):
        download(few, tmp_path / "g", base_url=site.address, how=QUICK, only=["subject_77/*"])


def test_the_universitys_archive_of_glasgows_set_is_taken_by_hand(tmp_path):
    members = {"716/experiment_data/subject_03/jogging/ECG.tsv": tsv(), "716/subject_03/jogging/video.mp4": b"..."}
    (tmp_path / "716.zip").write_bytes(packed(members))
    download(find_corpus("gudb"), tmp_path / "g", given=tmp_path / "716.zip")
    prepare(tmp_path / "g", tmp_path / "g.npz")
    found = open_set(tmp_path / "g.npz")
    assert (found.subject.tolist(), found.activity.tolist(), found.leads) == (["gu03"], ["run"], ("II", "III", "V2-V1"))


def test_an_encrypted_address_does_not_lead_to_an_open_one():
    request = urllib.request.Request("https://example.org/a.zip")
    with pytest.raises(urllib.error.URLError, match="which is not encrypted; refused"):
        _Redirects().redirect_request(request, None, 302, "Found", {}, "http://example.org/a.zip")


def test_every_offer_is_encrypted_and_limited():
    offers = [(corpus, corpus.offer) for corpus in CATALOGUE if corpus.offer is not None]
    assert [corpus.key for corpus, _ in offers] == ["gudb", "mhealth", "dalia", "wesad"]
    for corpus, offer in offers:
        assert all(url.startswith("https://") for remote in offer.files for url in remote.urls)
        assert offer.take
        assert 0 < offer.room < offer.most
        assert corpus.rule is not None
    glasgow = find_corpus("gudb").offer
    assert glasgow is not None
    assert len({remote.name for remote in glasgow.files}) == 125


def cli(*words: object):
    return CliRunner().invoke(app, ["data", "download", *map(str, words)])


def test_the_command_tells_licence_checksum_and_what_it_is_worth(site, tmp_path):
    words = ("mhealth", "--out", tmp_path / "d", "--base-url", site.address)
    dry = cli(*words, "--dry-run")
    assert f"would bring 1 of 1 files (75 MB) from {site.address}" in dry.output
    assert site.behaviour.log == []
    text = cli(*words).output
    assert "MHEALTH: licence CC-BY-4.0" in text
    assert f"sha256 {hashlib.sha256(ARCHIVE).hexdigest()}  {NAME}" in text
    assert "this was the first time, nothing could be compared" in text
    assert "cite Banos O." in text
    assert "the same as the first time" in cli(*words).output
    about = json.loads(cli(*words, "--json").stdout)
    assert (about["present"], about["first"], about["notes"]) == (1, [], [])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    failed = cli("wesad", "--out", tmp_path / "w", "--base-url", nobody).exception
    assert isinstance(failed, NetworkError)
    assert "nobody answers there" in str(failed)
    assert "non-commercial" in cli("wesad", "--dry-run").output


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_server_that_cannot_prove_its_name_is_refused(tmp_path):
    pair = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost", *pair]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with contextlib.suppress(OSError):
                        context.wrap_socket(connection, server_side=True)

        threading.Thread(target=answer, daemon=True).start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(NetworkError, match="the server's certificate is not valid"):
            download(find_corpus("mhealth"), tmp_path / "d", base_url=address, how=QUICK)
        listener.shutdown(socket.SHUT_RDWR)


def test_an_encrypted_connection_that_is_cut_is_tried_again_and_a_false_name_is_not():
    cut = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    false_name = urllib.error.URLError(ssl.SSLCertVerificationError("certificate verify failed"))
    assert (_is_final(cut), _is_final(false_name)) == (False, True)
