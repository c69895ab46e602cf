"""What users with a bad recording, recipe, protocol or gallery read: one line, the exit code, nothing written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecgkd.data.prepared import open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.protocols.split import make

FS = 250
ROOT = Path(__file__).resolve().parents[3]


def ecgkd(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecgkd.cli", *words], capture_output=True, text=True, cwd=folder, timeout=120
    )


def assert_refused(ran: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    said = ran.stdout + ran.stderr
    assert ran.returncode == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Returns a folder with two prepared sets, a protocol, an embedding toy and an empty gallery's neighbours."""
    folder = tmp_path_factory.mktemp("place")
    for seed, name in enumerate(("people", "others")):
        config = SynthConfig(people=45, seed=seed)
        write_set(folder / f"{name}.npz", synthesise(config), synthetic_info(config))
    one = open_set(folder / "people.npz")
    make("cross-session", [one]).save(folder / "protocol.json")
    beats = one.microvolts(0)
    shapes = {
        "good": beats,
        "nan": np.where(np.arange(len(beats)) % 500 == 7, np.nan, beats),
        "flat": np.full(len(beats), 12.0),
        "clipped": np.where(beats > np.median(beats), 300.0, -300.0),
    }
    for name, signal in shapes.items():
        (folder / f"{name}.csv").write_text("ecg_uV\n" + "\n".join(f"{v:.1f}" for v in signal) + "\n")
    (folder / "text.csv").write_text("ecg_uV,note\n" + "\n".join(f"{v:.1f},ok" for v in beats[:2000]) + "\n")
    return folder


@pytest.fixture(scope="module")
def model(place):
    """Returns the folder of a trained run: one epoch on synthetic people."""
    ran = ecgkd(
        place, "train", "student_ci", "--data", "people.npz", "--protocol", "protocol.json", "--json",
        *("--set", "optim.epochs=1", "--set", "data.visits=1.0", "--set", "optim.people=8"),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)["run"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nan", "samples are missing"), ("flat", "the signal is flat"), ("clipped", "clipped")],
)
def test_an_unusable_recording_is_not_enrolled(place, model, name, reason):
    ran = ecgkd(place, "enroll", f"{name}.gallery", "--person", "me", "--model", model, "--fs", "250", f"{name}.csv")
    assert_refused(ran, 1, reason)
    assert not (place / f"{name}.gallery").exists()


def test_a_wrong_sampling_rate_names_the_right_ones(place, model):
    ran = ecgkd(place, "enroll", "rate.gallery", "--person", "me", "--model", model, "--fs", "44", "good.csv")
    assert_refused(ran, 5, "44 Hz is not supported", "100, 125, 128")
    assert not (place / "rate.gallery").exists()


def test_a_text_column_is_named(place):
    assert_refused(ecgkd(place, "data", "info", "text.csv"), 5, "text.csv", "note")


def test_a_truncated_wfdb_file_is_refused(place):
    import wfdb

    wave = np.sin(np.arange(4000) / 40)[:, None]
    wfdb.wrsamp("cut", fs=FS, units=["mV"], sig_name=["I"], p_signal=wave, fmt=["16"], write_dir=str(place))
    whole = (place / "cut.dat").read_bytes()
    (place / "cut.dat").write_bytes(whole[: len(whole) // 2])
    assert_refused(ecgkd(place, "data", "info", "cut.hea"), 5, "cut")


def test_an_unknown_recipe_key_names_the_nearest(place):
    (place / "mine.toml").write_text('name = "mine"\nrole = "student"\n[optim]\nepoch = 3\n')
    ran = ecgkd(place, "train", "mine.toml", "--data", "people.npz", "--protocol", "protocol.json")
    assert_refused(ran, 2, "mine.toml", "epoch", "epochs")
    assert not (place / "runs" / "mine").exists()


def test_a_lead_that_the_set_lacks_leaves_no_run_behind(place: Path) -> None:
    told = ("--set", 'data.leads=["I","II","III"]', "--out", "refused")
    ran = ecgkd(place, "train", "dt4ecg_ci", "--data", "people.npz", "--protocol", "protocol.json", *told)
    assert_refused(ran, 2, "no lead 'II'", "it has I")
    assert [path for path in (place / "refused").rglob("*") if path.name.endswith("Z")] == []


def test_a_protocol_of_another_set_is_refused(place):
    (place / "renamed").mkdir()
    (place / "renamed" / "people.npz").write_bytes((place / "others.npz").read_bytes())
    ran = ecgkd(place, "train", "student_ci", "--data", "renamed/people.npz", "--protocol", "protocol.json")
    assert_refused(ran, 2, "people")


def test_a_gallery_of_another_model_is_refused_and_stays(place, model):
    person = [f"people.npz#syn001-s1-rest-{k}" for k in (1, 2)]
    ran = ecgkd(place, "enroll", "g.gallery", "--person", "me", "--model", model, *person)
    if ran.returncode == 1:  # an untrained network may find the windows too unlike each other
        pytest.skip(f"this little network enrols nobody: {ran.stdout}")
    before = (place / "g.gallery").read_bytes()
    document = json.loads((Path(place, model) / "contract.json").read_text())
    other = place / "other" / "run"
    other.mkdir(parents=True, exist_ok=True)
    for path in Path(place, model).iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "contract.json").write_text(json.dumps({**document, "embedding_space": "f" * 32}))
    ran = ecgkd(place, "verify", "g.gallery", "--person", "me", "--model", str(other), person[0])
    assert_refused(ran, 2, document["embedding_space"][:8], "ffffffff")
    assert (place / "g.gallery").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="mounting a small tmpfs needs root on Linux")
def test_a_full_disk_leaves_nothing_half_written(place):
    disk = place / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=False).returncode:
        pytest.skip("this machine lets no one mount a tmpfs")
    try:
        assert_refused(ecgkd(place, "data", "synth", "--out", "disk/people.npz"), 5, "the disk is full")
        assert not list(disk.iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_forbidden_place_leaves_nothing_half_written(place):
    locked = place / "locked"
    locked.mkdir(mode=0o555, exist_ok=True)
    for folder in (place, *place.parents[:2]):
        folder.chmod(0o755)
    code = (
        "import os, sys, ecgkd.cli\n"
        "ecgkd.cli.app(['data', 'synth', '--out', '/nowhere.npz', '--dry-run'], standalone_mode=False)\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "sys.argv = ['ecgkd', 'data', 'synth', '--out', sys.argv[1], '--people', '4']\necgkd.cli.main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(locked / "people.npz")], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert_refused(ran, 5, "no permission")
    assert not list(locked.iterdir())
