"""The engine on every target that can be emulated here: kernels, whole networks, the runner, and what they cost."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.firmware import budgets, measure

NETWORK_TARGETS = ("host", "clang", *measure.TARGETS)
MOST_FOR_A_MAC = {"cnn": {"m4": 2.0, "m55": 0.65}, "transformer": {"m4": 2.7, "m55": 1.1}}
MOST = {name: {"m4": 50e6, "m55": 16e6, "arena": 56 * 1024} for name in ("dt4ecg", "dt4ecg_both", "dt4ecg_leads")}
MOST |= {"deit_nano": {"m4": 15e6, "arena": 48 * 1024}}
LITERT = {"dt4ecg": 3.13e6, "deit_nano": 1.38e6, "deit_micro": 3.33e6, "deit_tiny": 33.76e6, "resnet34_base24": 5.15e6}
"""Instructions of ai-edge-litert 2.1.4 for arm64 on the same graphs as Cortex-A76, counted as docs/firmware.md says."""
LITERT |= dict.fromkeys(("dt4ecg_both", "dt4ecg_leads"), LITERT["dt4ecg"])  # which are a little more work, not less
LARGEST_ENGINE = 64 * 1024


def needs(target: str) -> None:
    """Skips, with the reason, where this machine cannot build for the target or run it."""
    missing = measure.missing(target)
    if missing:
        pytest.skip(f"{target}: not on this machine: {', '.join(missing)} (make arm-tools)")


@pytest.fixture(scope="session")
def networks() -> Path:
    """The folder of generated networks, made once and again when their sources change."""
    measure.make("networks", f"NETWORKS={measure.NETWORKS}")
    return measure.NETWORKS


@pytest.fixture(scope="session")
def stored() -> dict[str, Any]:
    return budgets.load()


def test_every_kernel_passes_on_the_host_and_missing_networks_are_named(tmp_path: Path) -> None:
    needs("host")

    printed = measure.make("test", "TARGETS=host", f"NETWORKS={tmp_path}")

    assert "host: passed test_main" in printed
    assert "host: networks skipped" in printed


def test_a_target_without_tools_is_skipped_in_words(tmp_path: Path) -> None:
    printed = measure.make("test", "TARGETS=m4", f"NETWORKS={tmp_path}", "CC.m4=no-such-compiler")

    assert "m4: skipped, not on this machine: no-such-compiler" in printed


@pytest.mark.arm
@pytest.mark.parametrize("target", NETWORK_TARGETS)
def test_kernels_and_whole_networks_give_the_same_bytes_everywhere(target: str, networks: Path) -> None:
    needs(target)

    printed = measure.make("test-one", f"TARGET={target}", f"NETWORKS={networks}")

    passed = [line for line in printed.splitlines() if line.startswith(f"{target}: passed ")]
    assert len(passed) >= 1 + len(budgets.PRESETS), printed


@pytest.mark.arm
@pytest.mark.parametrize("target", measure.TARGETS)
@pytest.mark.parametrize("preset", budgets.PRESETS)
def test_no_network_costs_more_than_its_budget(
    preset: str, target: str, networks: Path, stored: dict[str, Any]
) -> None:
    needs(target)
    if measure.compiler(target) != stored["compilers"][target]:
        pytest.skip(f"budgets are of {stored['compilers'][target]}, here is {measure.compiler(target)}")
    budget = stored["networks"][preset]
    now = measure.facts(networks / preset)

    broken = [
        budgets.over(
            f"{preset} on {target}, instructions", _instructions(networks, preset, target), _of(budget, target)
        ),
        *(budgets.over(f"{preset}, {key}", now[key], budget[key]) for key in ("arena_bytes", "weights_bytes")),
    ]

    assert not any(broken), "\n".join(filter(None, broken))


@pytest.mark.arm
@pytest.mark.parametrize("target", measure.TARGETS)
def test_the_library_stays_small(target: str, stored: dict[str, Any]) -> None:
    needs(target)

    size = measure.code_bytes(target)

    assert size["kernels"] < LARGEST_ENGINE
    if measure.compiler(target) == stored["compilers"][target]:
        broken = [budgets.over(f"{part} on {target}", size[part], stored["code_bytes"][target][part]) for part in size]
        assert not any(broken), "\n".join(filter(None, broken))


@pytest.mark.parametrize("preset", budgets.PRESETS)
def test_stored_costs_meet_what_was_promised(preset: str, stored: dict[str, Any]) -> None:
    one = stored["networks"][preset]
    kind = "transformer" if preset.startswith("deit") else "cnn"

    for target, most in MOST_FOR_A_MAC[kind].items():
        assert _of(one, target) <= most * one["macs"], target
    for target, most in MOST.get(preset, {}).items():
        assert (one["arena_bytes"] if target == "arena" else _of(one, target)) <= most, target
    assert _of(one, "m55") <= 0.4 * _of(one, "m4")
    assert _of(one, "aarch64-dotprod") <= 1.5 * LITERT[preset]


def test_a_rise_of_more_than_two_percent_breaks_a_budget_and_says_how_to_renew_it() -> None:
    assert budgets.over("x", 1020, 1000) is None
    assert budgets.RENEW in str(budgets.over("x", 1021, 1000))


@pytest.mark.arm
@pytest.mark.parametrize("target", ["m55", "aarch64"])
def test_counting_twice_gives_the_same_count_for_every_function(target: str, networks: Path) -> None:
    needs(target)

    first, second = (measure.cost(networks / "deit_nano", target) for _ in range(2))

    assert first == second
    assert "forward" in first.functions


@pytest.mark.arm
@pytest.mark.parametrize("target", measure.LINUX)
def test_the_linux_runner_needs_nothing_and_measures_itself(target: str, networks: Path) -> None:
    needs(target)
    network = networks / "deit_nano"
    measure.make("runner", f"TARGET={target}", f"NETWORK={network}")

    line = measure.make("bench", f"TARGET={target}", f"NETWORK={network}", "WARM_UP=1", "RUNS=3")

    record = json.loads(line)
    assert record["target"] == target
    assert record["model"] == "deit_nano_4s_250hz_int8"
    assert (record["warm_up"], len(record["ticks"]), record["ticks_per_second"]) == (1, 3, 10**9)
    assert min(record["ticks"]) > 0
    assert (record["embedding_bytes"], record["activity_bytes"]) == (192, 0)
    assert record["arena_bytes"] == measure.facts(network)["arena_bytes"] < record["peak_memory_bytes"]


@pytest.mark.arm
@pytest.mark.parametrize("target", measure.CORTEX_M)
def test_the_board_runner_measures_itself_and_its_stack(target: str, networks: Path) -> None:
    needs(target)

    line = measure.make("bench", f"TARGET={target}", f"NETWORK={networks / 'deit_nano'}", "WARM_UP=1", "RUNS=2")

    record = json.loads(line)
    assert len(record["ticks"]) == 2
    assert 0 < record["stack_bytes"] <= 4096


@pytest.mark.arm
@pytest.mark.parametrize("target", measure.CORTEX_M)
def test_the_counts_agree_with_qemus_own_clock_of_one_nanosecond_an_instruction(target: str, networks: Path) -> None:
    needs(target)
    network = networks / "deit_nano"

    record = json.loads(measure.make("bench", f"TARGET={target}", f"NETWORK={network}", "WARM_UP=1", "RUNS=1"))
    counted = measure.cost(network, target).instructions

    assert record["ticks"][0] * 1e9 / record["ticks_per_second"] == pytest.approx(counted, abs=300)


@pytest.mark.arm
def test_the_example_of_a_real_part_links_and_deit_micro_fits_it(networks: Path) -> None:
    needs("m33")
    network = networks / "deit_micro"

    measure.make("runner", "TARGET=nrf5340", f"NETWORK={network}")
    flash, ram = measure.memory("nrf5340", network)

    assert flash < 1024 * 1024
    assert ram < 256 * 1024


@pytest.mark.arm
def test_the_linux_runner_refuses_half_a_window(networks: Path, tmp_path: Path) -> None:
    needs("clang")
    network = networks / "deit_nano"
    windows = np.fromfile(network / "windows.bin", dtype=np.int8)[:1500]
    windows.tofile(tmp_path / "half.bin")
    measure.make("runner", "TARGET=clang", f"NETWORK={network}")
    runner = measure.BUILD / "clang" / "runner-deit_nano_4s_250hz_int8"

    codes = {
        "half a window": measure.exit_code(runner, "run", str(tmp_path / "half.bin"), str(tmp_path / "out.bin")),
        "no file": measure.exit_code(runner, "run", str(tmp_path / "none.bin")),
        "no command": measure.exit_code(runner),
        "no number": measure.exit_code(runner, "bench", "ten"),
    }

    assert codes == {"half a window": 5, "no file": 5, "no command": 2, "no number": 2}
    assert np.fromfile(tmp_path / "out.bin", dtype=np.int8).size == 192


def _of(one: dict[str, Any], target: str) -> int:
    return int(one["instructions"][target])


def _instructions(networks: Path, preset: str, target: str) -> int:
    return measure.cost(networks / preset, target).instructions
