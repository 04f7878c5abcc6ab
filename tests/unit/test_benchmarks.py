"""The arithmetic of the benchmarks, and that a process is measured as it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

# A bare `pytest` does not look for packages in the checkout, as `make test` does.
sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import __main__ as command
from benchmarks.compare import measured
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result, Table, pairs, shown
from benchmarks.process import Process
from benchmarks.reading import figures
from benchmarks.report import markdown, write
from benchmarks.schedule import ideal
from benchmarks.sizes import FULL, QUICK, USUAL
from benchmarks.stage import clean, must_be_done
from benchmarks.workload import Workload, noisy_jpeg

MACHINE = {
    "date": "2026-11-22T12:00:00Z",
    "cores": 2,
    "cpu": "a CPU",
    "memory_gb": 25.3,
    "system": "Linux 6",
    "load_before": 0.1,
    "python": "3.11.7",
    "versions": {"httpx": "0.28.1"},
}


def process(tmp_path, code: str) -> Process:
    return Process([sys.executable, "-c", code], environment={}, folder=tmp_path, name="child")


@pytest.mark.parametrize(
    ("latencies", "slots", "seconds"),
    [
        ([2.0] * 12, 4, 6.0),  # N·L/S
        ([2.0] * 13, 4, 8.0),
        ([1.0, 1.0, 5.0, 1.0], 2, 6.0),  # the slow one begins when the first slot is free
        ([5.0, 1.0, 1.0, 1.0], 2, 5.0),
        ([], 3, 0.0),
    ],
)
def test_the_ideal_gives_each_call_to_the_slot_that_is_free_first(latencies, slots, seconds):
    assert ideal(latencies, slots) == seconds


@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [
        (Bound(0.7), 0.7, True),
        (Bound(0.7), 0.71, False),
        (Bound(2.0, least=True), 2.0, True),
        (Bound(2.0, least=True), 1.9, False),
    ],
)
def test_a_bound_holds_at_its_limit(bound, value, holds):
    assert Figure("f", (value,), "x", bound).holds is holds


def test_rounds_become_their_median_with_its_range():
    figure = Figure("f", pairs([1.0, 9.0, 4.0], [2.0, 3.0, 8.0]), "x", Bound(1.0))

    assert figure.rounds == (0.5, 3.0, 0.5)
    assert (figure.value, figure.holds) == (0.5, True)
    assert figure.text() == "0.50 x (0.50 to 3.00)"
    with pytest.raises(ValueError, match="shorter"):
        pairs([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (400, "MB", "400 MB"),
        (1.0, "x", "1.00 x"),
        (12.34, "s", "12.3 s"),
        (15432.1, "/s", "15,432 /s"),
        (3, "", "3"),
    ],
)
def test_a_value_has_the_digits_it_is_good_for(value, unit, text):
    assert shown(value, unit) == text


def test_nobodys_start_counts_in_the_comparison():
    found = measured((2.0, 1.0), (12.0, 4.0), calls=101, peak=99.0, server=0.202)

    assert found.rate == 10.0
    assert found.cpu == pytest.approx(30.0)
    assert (found.peak, found.start) == (99.0, 2.0)
    assert found.server == pytest.approx(2.0)
    with pytest.raises(BenchmarkError, match="no longer than one"):
        measured((2.0, 1.0), (1.9, 4.0), calls=101, peak=99.0, server=0.0)


def test_the_figures_of_the_manifest_are_read_from_what_it_prints():
    text = (
        "csv               1,000,000 rows   24.5 s    40,816 rows/s    84 MB    0 faults\n"
        "folder              100,000 rows    3.0 s    33,333 rows/s   260 MB    0 faults\n"
    )

    found = {figure.name: (figure.value, figure.holds) for figure in figures(text)}

    assert found == {
        "csv, 1,000,000 rows: time": (24.5, True),
        "csv, 1,000,000 rows: peak memory": (84.0, True),
        "folder, 100,000 rows: time": (3.0, True),
        "folder, 100,000 rows: peak memory": (260.0, False),
    }
    with pytest.raises(BenchmarkError):
        figures("Traceback")


def test_a_process_is_measured_in_wall_cpu_and_memory(tmp_path):
    busy = "x = b'a' * 80_000_000\nn = 0\nwhile n < 4_000_000: n += 1\nprint('did it')"

    with process(tmp_path, busy) as child:
        usage = child.wait(60)

    assert (usage.code, usage.output) == (0, "did it\n")
    assert 80 < usage.peak < 130
    assert 0.05 < usage.cpu <= usage.wall + 0.05


def test_the_memory_of_children_counts_while_they_are_there(tmp_path):
    held = "x = b'a' * 60_000_000; import time; time.sleep(1.2)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {held!r}])"

    with process(tmp_path, code) as child:
        usage = child.wait(60)

    assert usage.peak > 65


def test_a_process_that_takes_too_long_is_ended_with_its_last_words(tmp_path):
    code = "import sys, time; print('stuck here', file=sys.stderr, flush=True); time.sleep(60)"

    with process(tmp_path, code) as child:
        with pytest.raises(BenchmarkError, match="did not end within 1 s: stuck here"):
            child.wait(1)
        assert child.ended


def test_a_process_that_does_not_come_up_says_why(tmp_path):
    with (
        process(tmp_path, "raise SystemExit('no port')") as child,
        pytest.raises(BenchmarkError, match="no port"),
    ):
        child.first_line(30)


def test_no_key_setting_or_proxy_reaches_what_is_measured():
    given = {
        "PATH": "/bin",
        "GEMINI_API_KEY": "k",
        "GOOGLE_API_KEY": "k",
        "RETOUCH_RPM": "1",
        "https_proxy": "p",
        "NO_PROXY": "n",
    }

    assert clean(given) == {"PATH": "/bin"}


@pytest.mark.parametrize("status", ["", "{}", "[]", '{"outcomes": {"done": 9, "failed": 1}}'])
def test_figures_of_a_job_that_failed_are_refused(status):
    with pytest.raises(BenchmarkError):
        must_be_done(status, 10)


def test_pictures_are_a_megabyte_and_each_row_has_one_of_its_own(tmp_path):
    assert 950_000 < len(noisy_jpeg(1)) < 1_050_000
    workload = Workload(tmp_path)

    workload.manifest(3)
    lines = workload.manifest(9).read_text().splitlines()

    assert len(lines) == 10
    paths = [tmp_path / line.split(",")[1] for line in lines[1:]]
    assert len(set(paths)) == 9
    assert all(path.stat().st_size > 950_000 for path in paths)


def test_results_are_written_as_one_table_and_as_json(tmp_path):
    figure = Figure("peak memory", (410.0,), "MB", Bound(400), "990 in flight")
    free = Figure("importing", (0.5,), "s")
    result = Result(
        "in flight", "What it is.", [figure, free], [Table(("", "MB"), (("run", "9"),))], ["a note"]
    )
    broken = Result("start", "", failed=["the server did not come up"])

    write(tmp_path, MACHINE, USUAL, [result, broken])

    text = (tmp_path / "results.md").read_text()
    assert text == markdown(MACHINE, USUAL, [result, broken])
    assert "| in flight | peak memory; 990 in flight | 410 MB | ≤ 400 MB | **no** |" in text
    assert "| in flight | importing | 0.50 s |  |  |" in text
    assert "| run | 9 |" in text
    assert "- **not measured:** the server did not come up" in text
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["results"][0]["figures"][0]["holds"] is False
    assert document["results"][0]["figures"][0]["value"] == 410.0
    assert (result.sound, broken.sound) == (False, False)


def test_figures_that_mean_nothing_say_so():
    assert "mean nothing" in markdown(MACHINE, QUICK, [])
    assert "not idle (load 4 " in markdown({**MACHINE, "load_before": 4.0}, USUAL, [])
    assert "**" not in markdown(MACHINE, USUAL, [])


def test_sizes_are_chosen_on_the_command_line():
    def sizes(*words: str):
        return command.sizes_of(command._parser().parse_args(words))

    assert sizes() == USUAL
    assert sizes("--full") == FULL
    assert sizes("compare", "--calls", "50", "--rounds", "2").calls == 50
    assert sizes("--quick", "--rows", "70").rows == 70


def test_everything_is_listed_with_what_it_measures(capsys):
    assert command.main(["--list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(command.BENCHMARKS)
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("words", [["nonsense"], ["--calls", "1"], ["--full", "--quick"]])
def test_what_cannot_be_meant_is_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(words)

    assert ended.value.code == 2
