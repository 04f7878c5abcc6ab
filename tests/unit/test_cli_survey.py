"""What can be known before money is spent."""

from __future__ import annotations

import os
import re

import pytest
from PIL import Image

from jobs.cli.options import DEFAULT_MODEL
from jobs.commands.check import estimate_lines
from jobs.job_options import JobOptions
from jobs.survey import CALL_SECONDS, Survey
from pipeline.edit import Edit, Fault
from pipeline.gemini.inline import INLINE_BYTES
from pipeline.roots import Roots


def survey(tmp_path, **asked) -> Survey:
    return Survey(
        JobOptions(manifest="shop.csv", model=asked.pop("model", DEFAULT_MODEL), **asked),
        Roots(root=tmp_path),
    )


def edit(row: int, **changes) -> Edit:
    plain = {"row": row, "line": row + 1, "id": str(row), "name": str(row), "prompt": f"paint {row}"}
    return Edit(**plain | changes)


def read(made: Survey, *edits: Edit) -> list[Fault]:
    return [fault for one in edits for fault in made.faults(one)]


def test_rows_at_fault_are_neither_called_nor_paid_for(tmp_path):
    made = survey(tmp_path)

    fault = Fault(code="no_prompt", message="no prompt", row=2, line=3, column="prompt")
    found = read(made, edit(1), edit(2, faults=(fault,)), edit(3, images=("gone.png",)))

    assert [(fault.row, fault.code) for fault in found] == [(2, "no_prompt"), (3, "missing")]
    assert (made.rows, made.calls, made.faulty) == (3, 1, 2)
    assert made.estimate().cost.usd == pytest.approx(0.0336, rel=0.5)


def test_rows_that_no_request_holds_are_no_fault_and_told_of(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "large.png")
    (tmp_path / "small.png").write_bytes((tmp_path / "large.png").read_bytes())
    os.truncate(tmp_path / "large.png", INLINE_BYTES)
    made = survey(tmp_path)

    found = read(made, edit(1, images=("large.png", "small.png")), edit(2, images=("large.png",)))

    assert (found, made.calls) == ([], 2)
    (note,) = made.notes()
    assert note.startswith("1 row with more than 70 MB of pictures")
    assert "Files API" in note


def test_an_option_that_no_model_takes_is_said_once_and_of_a_row_for_the_row(tmp_path):
    made = survey(tmp_path, image_size="3K")

    found = read(made, edit(1), edit(2), edit(3, image_size="5K"), edit(4, aspect_ratio="1:3"))

    assert [(fault.row, fault.column) for fault in found] == [
        (None, "--image-size"),
        (3, "image_size"),
        (4, "image_size"),
        (4, "aspect_ratio"),
    ]
    assert made.calls == 0


def test_a_prompt_for_all_rows_that_fits_none_is_said_once(tmp_path):
    made = survey(tmp_path)
    wrong = [
        Fault(code="unknown_column", message="no {x}", row=row, line=row, column="--prompt") for row in (1, 2)
    ]
    own = Fault(code="unknown_column", message="no {x}", row=3, line=3, column="prompt")

    found = read(made, *(edit(fault.row, faults=(fault,)) for fault in (*wrong, own)))

    assert [(fault.row, fault.line, fault.column) for fault in found] == [
        (None, None, "--prompt"),
        (3, 3, "prompt"),
    ]
    assert (made.faulty, made.calls) == (3, 0)


def test_a_model_that_was_shut_is_a_fault_and_one_that_is_unknown_a_note(tmp_path):
    made = survey(tmp_path)

    found = read(made, edit(1, model="imagen-3.0-generate-002"), edit(2, model="of-tomorrow"))

    assert [(fault.row, fault.column) for fault in found] == [(1, "model")]
    assert made.cost.usd is None
    assert (
        "1 call if every first attempt succeeds, cost unknown"
        in estimate_lines(made.estimate(), made.asked)[0]
    )
    read(made, edit(3))
    assert re.search(
        r"at least \$0\.\d+ beside calls of unknown cost", estimate_lines(made.estimate(), made.asked)[0]
    )
    assert "of-tomorrow is not in the catalogue" in made.notes()[0]


def test_equal_rows_are_pointed_out_and_variations_are_not(tmp_path):
    made = survey(tmp_path, repeat=2)

    read(made, *(edit(row, prompt="a") for row in (1, 2)), *(edit(row, prompt="b") for row in (3, 4)))
    assert made.notes() == []

    read(made, edit(5, prompt="a"), edit(6, prompt="a"))
    assert made.notes() == [
        "1 row equals an earlier row in pictures, prompt and options: paid for again, as a variation"
    ]


@pytest.mark.parametrize(
    ("options", "seconds", "binding"),
    [
        ({}, CALL_SECONDS, "slots"),
        ({"max_in_flight": 3}, 4 * CALL_SECONDS, "slots"),
        ({"rpm": 1.0}, 9 * 60 + CALL_SECONDS, "rpm"),
        ({"rpm": 10_000.0, "max_in_flight": 1}, 10 * CALL_SECONDS, "slots"),
        ({"budget": 1000.0}, CALL_SECONDS, "slots"),
        ({"budget": 0.0}, 0.0, "budget"),
    ],
)
def test_the_time_and_what_it_depends_on(tmp_path, options, seconds, binding):
    made = survey(tmp_path, **options)

    read(made, *map(edit, range(1, 11)))

    estimate = made.estimate()
    assert (estimate.seconds, estimate.binding) == (seconds, binding)


def test_of_nothing_nothing_is_estimated(tmp_path):
    estimate = survey(tmp_path).estimate()

    assert (estimate.rows, estimate.calls, estimate.cost.usd, estimate.seconds) == (0, 0, 0, 0)
    assert estimate.binding is None


def test_reuse_counts_equal_rows_once_and_says_what_it_cannot_know(tmp_path):
    once = survey(tmp_path, reuse=True)
    read(once, edit(1, prompt="a"))
    made = survey(tmp_path, reuse=True, repeat=2)

    read(made, *(edit(row, prompt="a") for row in (1, 2, 3, 4)), edit(5, prompt="b"))

    assert (made.rows, made.calls) == (5, 2)
    assert made.cost.usd == pytest.approx(2 * once.cost.usd)
    equal, unknown = made.notes()
    assert equal.startswith("3 rows equal an earlier row")
    assert equal.endswith("merged with it by --reuse")
    assert "are found only when the pictures are read" in unknown


def test_of_what_may_have_several_frames_it_is_said_that_the_first_is_sent(tmp_path):
    for name in ("a.gif", "b.tif", "c.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    made = survey(tmp_path)

    read(made, edit(1, images=("a.gif", "c.png")), edit(2, images=("b.tif",)), edit(3, images=("c.png",)))

    assert made.notes() == ["2 GIF, TIFF or AVIF files: only the first frame or page is sent"]


def test_a_picture_beside_an_empty_image_is_told_of(tmp_path):
    made = survey(tmp_path)

    read(made, edit(1, extra={"file": "a.png"}), edit(2, extra={"note": "red"}))

    (note,) = made.notes()
    assert note.startswith("1 row has an empty image")
