"""What reads like a manifest and is none: it must be said before anything is paid for."""

import csv
import json

import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import open_manifest
from pipeline.manifest.mistaken import pictures_elsewhere
from pipeline.record import Outcome, Record
from pipeline.report.spreadsheet import write_csv


def opened(path, prompt="p"):
    return open_manifest(str(path), prompt=prompt, limit=None)


def written(tmp_path, name, rows):
    path = tmp_path / name
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return path


RECORDS = [Record(id="a", row=1, line=2, outcome=Outcome.FAILED, reason="text_only: no.", prompt="red")]


class TestResults:
    def test_a_table_of_results_is_no_manifest(self, tmp_path):
        with (tmp_path / "results.csv").open("wb") as file:
            write_csv(RECORDS, file)
        with pytest.raises(
            ManifestError, match=r"is the results of a job.*`retouch retry JOB`.*column image"
        ):
            opened(tmp_path / "results.csv")

    def test_nor_are_records(self, tmp_path):
        path = tmp_path / "failed.jsonl"
        path.write_text(
            '{"prompt": "mine"}\n{"id":"a","outcome":"done","attempts":[],"uncounted":0,"settled_at":"x"}\n'
        )
        with pytest.raises(ManifestError, match="is the results of a job"):
            opened(path)

    def test_the_job_is_named_by_its_folder(self, tmp_path):
        (tmp_path / "job.json").touch()
        with (tmp_path / "results.csv").open("wb") as file:
            write_csv(RECORDS, file)
        with pytest.raises(ManifestError, match=rf"`retouch retry {tmp_path}`"):
            opened(tmp_path / "results.csv")

    def test_a_table_made_of_some_of_its_columns_is_a_manifest(self, tmp_path):
        path = written(tmp_path, "m.csv", [{"id": "a", "outcome": "good", "image": "images/a.png"}])
        assert [edit.images for edit in opened(path).edits()] == [("images/a.png",)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("file", "photos/a.jpg"),
        ("path", "photos\\a.TIFF"),
        ("Image Path", "My Photos/a b.png"),
        ("bild", "a.heic"),
        ("url", "https://shop.example/media/17?width=800"),
        ("photo_url", "https://shop.example/17"),
        ("anything", "https://shop.example/17.webp?sig=x#top"),
        ("source", "s3://bucket/17"),
        ("files", ["a.png", "b.png"]),
        ("inline", "data:image/png;base64,AAAA"),
    ],
)
class TestPicturesInAnotherColumn:
    def test_are_seen(self, column, value):
        assert pictures_elsewhere({"prompt": "p", column: value}) == column

    @pytest.mark.parametrize("name", ["image", "images"])
    def test_are_let_be_beside_a_column_for_pictures_though_it_is_empty(self, name, column, value):
        assert pictures_elsewhere({"prompt": "p", column: value, name: None}) is None

    def test_end_the_command_with_the_mend(self, tmp_path, column, value):
        path = written(tmp_path, "m.jsonl", [{"prompt": "p"}, {"prompt": "p", column: value}])
        with pytest.raises(
            ManifestError, match=rf'column "{column}" looks like pictures.*rename it to image'
        ):
            opened(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("note", "like the one of last year"),
        ("product", "https://shop.example/p/17"),
        ("output", "a.png"),
        ("id", "a.png"),
        ("target_file", "a.png"),
        ("file", "notes.txt"),
        ("file", 17),
        ("file", None),
        ("files", []),
        ("text", "first line\nsecond.png"),
    ],
)
def test_what_is_no_picture_is_let_be(column, value):
    assert pictures_elsewhere({"prompt": "p", column: value}) is None


def test_a_header_without_pictures_is_seen_in_a_table(tmp_path):
    path = written(tmp_path, "m.csv", [{"File": "photos/a.jpg", "prompt": "red"}])
    with pytest.raises(ManifestError, match='column "File"'):
        opened(path)


def test_far_down_it_is_the_fault_of_its_row(tmp_path):
    path = written(tmp_path, "m.jsonl", [{"image": "a.png"}] * 30 + [{"file": "b.png"}, {"image": "c.png"}])
    found = list(opened(path).edits())
    assert [(edit.row, fault.code) for edit in found for fault in edit.faults] == [(31, "not_in_image")]
