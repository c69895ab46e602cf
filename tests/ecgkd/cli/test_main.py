import subprocess
import sys


def ecgkd(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ecgkd.cli", *words], capture_output=True, text=True, timeout=120)


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['ecgkd', '--help']\n"
        "import ecgkd.cli\n"
        "try: ecgkd.cli.main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {'torch', 'timm', 'onnx', 'onnxruntime', 'scipy', 'numpy', 'matplotlib', 'wfdb'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0
    assert ran.stderr.strip().endswith("heavy: []")


def test_help_names_every_verb():
    text = ecgkd("--help").stdout
    for verb in ("doctor", "data", "protocol", "train", "distill", "evaluate", "export", "check", "bench"):
        assert verb in text
    for verb in ("enroll", "verify", "identify", "report", "demo"):
        assert verb in text


def test_version_is_printed():
    assert ecgkd("--version").stdout.startswith("ecgkd 0.")


def test_an_unknown_option_is_a_usage_error():
    ran = ecgkd("doctor", "--colour")
    assert ran.returncode == 2
    assert "--colour" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_doctor_answers_in_json():
    import json

    ran = ecgkd("doctor", "--json")
    names = {finding["name"] for finding in json.loads(ran.stdout)["findings"]}
    assert {"Python", "numpy", "onnxruntime"} <= names
