"""What a machine shows of itself."""

from pathlib import Path

from ecgkd_bench import machine


def _write(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_a_machine_that_shows_nothing_gives_absent_values_and_not_zeros(tmp_path: Path) -> None:
    state = machine.state(tmp_path)
    assert (state.governor, state.frequency_mhz, state.temperature_c) == (None, None, None)
    assert machine.describe(tmp_path)["memory_bytes"] is None
    assert machine.peak_rss(tmp_path) is None


def test_governor_frequency_and_the_hottest_zone_are_read(tmp_path: Path) -> None:
    cpufreq = "sys__devices__system__cpu__cpu0__cpufreq__"
    _write(
        tmp_path,
        **{
            cpufreq + "scaling_governor": "ondemand\n",
            cpufreq + "scaling_cur_freq": "1500000\n",
            "sys__class__thermal__thermal_zone0__temp": "48200\n",
            "sys__class__thermal__thermal_zone1__temp": "51000\n",
        },
    )
    state = machine.state(tmp_path)
    assert (state.governor, state.frequency_mhz, state.temperature_c) == ("ondemand", 1500.0, 51.0)


def test_an_arm_board_is_named_by_its_device_tree(tmp_path: Path) -> None:
    _write(
        tmp_path,
        **{
            "proc__cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\n",
            "proc__device-tree__model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "proc__meminfo": "MemTotal:        3884360 kB\n",
            "etc__os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        },
    )
    described = machine.describe(tmp_path)
    assert described["soc"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert described["features"] == ("asimd", "asimddp")
    assert described["memory_bytes"] == 3884360 * 1024
    assert str(described["os"]).startswith("Debian GNU/Linux 12 (bookworm), ")


def test_garbage_in_a_sensor_is_an_absent_value(tmp_path: Path) -> None:
    _write(tmp_path, sys__class__thermal__thermal_zone0__temp="N/A")
    assert machine.state(tmp_path).temperature_c is None


def _printed(answers: dict[str, str]) -> machine.Tool:
    return lambda *command: answers.get(" ".join(command))


def test_a_pi_that_lacks_power_says_so(tmp_path: Path) -> None:
    answers = {"vcgencmd get_throttled": "throttled=0x50005", "vcgencmd measure_clock arm": "frequency(48)=600117184"}
    state = machine.state(tmp_path, _printed(answers))
    assert state.held_back == ("under-voltage", "throttled")
    assert round(state.frequency_mhz or 0) == 600


def test_a_phone_is_named_by_its_maker_and_its_android(tmp_path: Path) -> None:
    properties = (
        "[ro.product.manufacturer]: [Google]\n[ro.product.model]: [Pixel 4]\n[ro.build.version.release]: [13]\n"
    )
    described = machine.describe(tmp_path, _printed({"getprop": properties}))
    assert described["soc"] == "Google Pixel 4"
    assert str(described["os"]).startswith("Android 13, ")
    assert described["clock"] == "wall"


def test_an_emulated_board_is_known_as_one_and_by_what_it_models(tmp_path: Path) -> None:
    _write(
        tmp_path,
        **{
            "proc__cpuinfo": "Features\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n",
            "proc__device-tree__model": "linux,dummy-virt\0",
        },
    )
    described = machine.describe(tmp_path)
    assert (described["soc"], described["clock"]) == ("QEMU Cortex-A53", "emulated")
    _write(tmp_path, proc__cmdline=f"quiet {machine.COUNTING}\n")
    assert machine.describe(tmp_path)["clock"] == "instructions"


def test_a_board_whose_kernel_lowers_its_clock_says_so_and_one_without_such_cooling_nothing(tmp_path: Path) -> None:
    assert machine.state(tmp_path).held_back is None
    cooling = "sys__class__thermal__cooling_device0__"
    _write(tmp_path, **{cooling + "type": "thermal-cpufreq-0\n", cooling + "cur_state": "0\n"})
    assert machine.state(tmp_path).held_back == ()
    _write(tmp_path, **{cooling + "cur_state": "2\n"})
    assert machine.state(tmp_path).held_back == ("frequency capped",)


def test_cooling_of_anything_but_the_processor_is_none_of_it(tmp_path: Path) -> None:
    cooling = "sys__class__thermal__cooling_device0__"
    _write(tmp_path, **{cooling + "type": "pwm-fan\n", cooling + "cur_state": "3\n"})
    assert machine.state(tmp_path).held_back is None
