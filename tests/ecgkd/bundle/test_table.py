"""The table of an export: one line a file, at most 100 columns, and below it what did not pass."""

from typing import Any

from ecgkd.bundle import table

PASSED: dict[str, Any] = {"result": "passed"}
PARITY = {"result": "passed", "cosine_mean": 0.99968, "cosine_min": 0.9987, "max_abs": 0.01}
BIOMETRIC = {
    "result": "passed",
    "why": "fine",
    "delta_eer": -0.0009,
    "delta_eer_ci95": [-0.0012, 0.0016],
    "genuine_flips": 0.0026,
    "impostor_flips": 0.0004,
    "fmr_float": 0.01,
    "fmr": 0.012,
    "fnmr_float": 0.05,
    "fnmr": 0.06,
}
NAMES = ("net_4s_250hz_fp32.onnx", "net_4s_250hz_int8.onnx", "net_4s_250hz_int8-mcu.tflite")


def _shown(gates: dict[str, dict[str, Any]]) -> list[str]:
    sizes = {NAMES[0]: 2_891_400, NAMES[1]: 997_000}
    times = {NAMES[1]: {"p50": 0.3331, "runs": 200}}
    return table.text(table.lines(gates, sizes, times), gates).splitlines()


def test_a_file_is_one_line_of_all_figures_under_its_short_name() -> None:
    gates = {NAMES[0]: {"structure": PASSED}, NAMES[1]: {"output_parity": PARITY, "biometric": BIOMETRIC}}
    header, first, second, *_ = _shown(gates)
    assert " ".join(header.split()) == "net_4s_250hz kB ms cosine worst ΔEER points (95 %) flips % gates"
    assert " ".join(first.split()) == "fp32.onnx 2891 1 passed"
    wanted = "int8.onnx 997 0.333 0.99968 0.9987 -0.09 (-0.12 to +0.16) 0.26, 0.04 2 passed"
    assert " ".join(second.split()) == wanted
    assert second.index("0.333") + 5 == header.index("ms") + 2


def test_no_line_is_wider_than_a_terminal() -> None:
    long = {"result": "failed", "why": "numbers " * 60}
    gates = {name: {"output_parity": PARITY, "biometric": {**BIOMETRIC, **long}} for name in NAMES}
    assert max(len(line) for line in _shown(gates)) <= 100


def test_what_failed_stands_in_its_line_and_below_with_its_figures() -> None:
    bad = {"result": "failed", "cosine_mean": 0.98, "cosine_min": 0.5, "max_abs": 0.7}
    runtimes = {
        "LiteRT, reference": {"result": "passed", "lsb": 0, "lsb_bound": 0},
        "LiteRT, XNNPACK": {"result": "failed", "lsb": 11, "lsb_bound": 8},
    }
    gates = {NAMES[1]: {"output_parity": bad, "integer_parity": {"result": "failed", "runtimes": runtimes}}}
    lines = _shown(gates)
    assert lines[1].endswith("output_parity FAILED and 1 more")
    assert "int8.onnx: output_parity failed: cosine 0.98000, worst 0.50000, largest difference 0.7" in lines
    assert "int8.onnx: integer_parity failed: LiteRT, XNNPACK is 11 steps off; allowed 8" in lines


def test_what_is_absent_for_the_same_reason_is_said_once() -> None:
    absent = {"result": "absent", "why": "no recordings"}
    gates = {name: {"structure": PASSED, "biometric": absent} for name in NAMES[1:]}
    lines = _shown(gates)
    assert lines[1].endswith("1 passed, 1 absent")
    assert "int8.onnx, int8-mcu.tflite: biometric absent: no recordings" in lines


def test_a_line_is_plain_numbers_for_scripts() -> None:
    (line,) = table.lines({NAMES[1]: {"output_parity": PARITY, "biometric": BIOMETRIC}}, {}, {})
    document = line.to_dict()
    assert document["gates"] == {"output_parity": "passed", "biometric": "passed"}
    assert (document["delta_eer"], document["delta_eer_ci95"]) == (-0.0009, (-0.0012, 0.0016))
    assert document["ms"] is None


def test_what_a_network_tells_of_activities_is_a_table_of_its_own() -> None:
    told = {"result": "passed", "activity_accuracy": 0.653, "activity_accuracy_float": 0.659, "why": "fine"}
    told |= {"delta_activity": -0.006, "delta_activity_ci95": [-0.021, 0.009], "changed_answers": 0.032}
    told |= {"activity_f1": 0.6, "activity_f1_float": 0.61}
    gates = {NAMES[0]: {"structure": PASSED}, NAMES[1]: {"biometric": BIOMETRIC, "activity": told}}
    lines = _shown(gates)
    assert max(map(len, lines)) <= 100
    at = next(n for n, line in enumerate(lines) if "changed answers" in line)
    assert lines[at + 1].split() == ["int8.onnx", "65.3", "-0.6", "(-2.1", "to", "+0.9)", "3.2"]
    assert "fp32.onnx" not in "".join(lines[at:])
    assert "activity 65.9 → 65.3 %, macro-F1 61.0 → 60.0 %, 3.2 % of answers change" in table.details(gates)
    documents = [line.to_dict() for line in table.lines(gates, {}, {})]
    assert [one.get("changed_answers") for one in documents] == [None, 0.032]
    assert "changed_answers" not in documents[0]
