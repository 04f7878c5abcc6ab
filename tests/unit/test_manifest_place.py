"""What the argument names, folders, globs, and what is refused in one sentence."""

import gzip
import hashlib
import os

import pytest

from pipeline.errors import ManifestError, UsageError
from pipeline.manifest import open_manifest
from pipeline.manifest.bucket import matches
from pipeline.manifest.formats import CSV
from pipeline.manifest.place import locate_manifest


def opened(argument, **options):
    return open_manifest(str(argument), **{"prompt": "p", "limit": None, **options})


def images(argument, **options):
    return [edit.images[0] for edit in opened(argument, **options).edits()]


@pytest.fixture
def photos(tmp_path):
    """A folder as it comes from a camera and two operating systems."""
    for name in ("img10.png", "img2.png", "IMG1.JPG", ".hidden.png", "Thumbs.db", "notes.txt", "a b.webp"):
        (tmp_path / name).touch()
    for name in ("sub/deep/img3.png", "sub/img4.png", ".git/img5.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_its_pictures_in_natural_order(photos):
    manifest = opened(photos)
    edits = list(manifest.edits())
    assert [edit.images for edit in edits] == [("a b.webp",), ("IMG1.JPG",), ("img2.png",), ("img10.png",)]
    assert [(edit.row, edit.line, edit.id) for edit in edits] == [(n, n, str(n)) for n in range(1, 5)]
    assert (manifest.root, manifest.source) == (photos, str(photos))
    assert "skipped 2" in manifest.notes[0]


@pytest.mark.parametrize(
    ("pattern", "root", "expected"),
    [
        ("img*.png", "", ["img2.png", "img10.png"]),
        ("*", "", ["a b.webp", "IMG1.JPG", "img2.png", "img10.png", "notes.txt", "Thumbs.db"]),
        ("sub/*.png", "sub", ["img4.png"]),
        ("s*/*.png", "", ["sub/img4.png"]),
        ("sub/**/*.png", "sub", ["deep/img3.png", "img4.png"]),
        ("sub/**", "sub", ["deep/img3.png", "img4.png"]),
        ("img[0-9].png", "", ["img2.png"]),
        ("img?.png", "", ["img2.png"]),
    ],
)
def test_a_glob_is_the_files_it_matches(photos, pattern, root, expected):
    manifest = opened(photos / pattern)
    assert [edit.images[0] for edit in manifest.edits()] == expected
    assert (manifest.root, manifest.source) == (photos / root, str(photos / pattern))
    assert manifest.notes == ()


def test_recursion_does_not_follow_links_in_a_circle(photos):
    (photos / "sub" / "loop").symlink_to(photos, target_is_directory=True)
    assert images(photos / "sub/**/*.png") == ["deep/img3.png", "img4.png"]


def test_links_that_lead_nowhere_are_rows(tmp_path):
    (tmp_path / "gone.png").symlink_to("not-there.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder").symlink_to("loop.png")

    assert images(tmp_path) == images(tmp_path / "*.png") == ["gone.png", "loop.png"]
    assert opened(tmp_path).fingerprint() == opened(tmp_path).fingerprint()
    assert len(opened(tmp_path).notes) == 1


def test_brackets_in_names_of_folders(tmp_path):
    folder = tmp_path / "photos [2024]"
    folder.mkdir()
    (folder / "a.png").touch()
    assert images(folder) == images(folder / "*.png") == ["a.png"]


def test_paths_are_relative_to_the_working_folder(photos, monkeypatch):
    monkeypatch.chdir(photos)
    assert opened("sub/*.png").source == str(photos / "sub/*.png")
    assert images("./sub") == ["img4.png"]


@pytest.mark.parametrize("name", [" a.png", "a\\b.png", os.fsdecode(b"caf\xe9.png")])
def test_names_that_no_manifest_could_spell_are_faults(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "z.png").touch()
    edits = list(opened(tmp_path).edits())
    assert sorted(len(edit.faults) for edit in edits) == [0, 1]


def test_the_prompt_for_all_may_name_the_picture(photos):
    assert next(opened(photos, prompt="brighten {image}").edits()).prompt == "brighten a b.webp"


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_pictures_need_a_prompt(photos, pattern):
    with pytest.raises(ManifestError, match="--prompt"):
        opened(photos / pattern, prompt=None)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.xlsx", b"PK\x03\x04", "CSV UTF-8"),
        ("m.csv", b"PK\x03\x04rest", "Excel workbook"),
        ("m.csv", b"\xd0\xcf\x11\xe0rest", "Excel workbook"),
        ("m.csv", b"\x89PNG\r\n", "picture"),
        ("m.jsonl", b"%PDF-1.7", "PDF"),
        ("m.csv", b"PAR1....", ".parquet"),
        ("m.csv", gzip.compress(b"image,prompt", mtime=0), ".gz"),
        ("m.csv.gz", b"image,prompt\n", "gzip"),
        ("m.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("m.csv", bytes(range(256)) * 3 + bytes(200), "not a text file"),
        ("m.parquet", b"image,prompt\n", "not a Parquet file"),
        ("m.parquet.gz", b"x", "unpack"),
        ("m.json", b"[]", ".jsonl"),
        ("m.txt", b"image", "does not show its format"),
        ("manifest", b"image", "does not show its format"),
        ("cat.png", b"\x89PNG", "glob"),
    ],
)
def test_files_that_are_no_manifest(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        opened(tmp_path / name)
    assert words in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("missing.csv", "does not exist"),
        ("missing/*.png", "does not exist"),
        ("*.nothing", "matches no file"),
        ("*/a**", "cannot|valid pattern|matches no file"),
        ("empty", "matches no picture"),
        ("https://example.com/m.csv", "download"),
        ("", "no manifest given"),
        ("x" * 5000 + ".csv", "cannot be read"),
    ],
)
def test_arguments_that_name_nothing(tmp_path, monkeypatch, argument, words):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ManifestError, match=words):
        opened(argument)


def test_a_pipe_is_told_to_come_through_standard_input(tmp_path):
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(ManifestError, match="regular file"):
        opened(tmp_path / "m.csv")


@pytest.mark.parametrize("options", [{"limit": 0}, {"repeat": 0}, {"prompt": "a { b"}, {"prompt": "{}"}])
def test_options_that_cannot_be_meant(photos, options):
    with pytest.raises(UsageError):
        opened(photos, **options)


def test_fingerprints_show_changes(photos):
    folder = opened(photos)
    before = folder.fingerprint()
    assert folder.fingerprint() == before
    (photos / "img2.png").write_bytes(b"x")
    assert folder.fingerprint().sha256 != before.sha256

    path = photos / "m.csv"
    path.write_bytes(b"image,prompt\na.png,p\n")
    assert opened(path).fingerprint().bytes == 21
    digest = opened(path).fingerprint().sha256
    path.write_bytes(b"image,prompt\na.png,q\n")
    assert opened(path).fingerprint().sha256 != digest


@pytest.mark.parametrize("name", ["m.jsonl", "m.csv.gz"])
def test_fingerprints_are_of_the_bytes_on_disk(tmp_path, name):
    content = b'{"prompt": "p"}\n' if name == "m.jsonl" else gzip.compress(b"prompt\np\n", mtime=0)
    (tmp_path / name).write_bytes(content)
    fingerprint = opened(tmp_path / name).fingerprint()
    assert fingerprint.bytes == len(content)
    assert fingerprint.sha256 == hashlib.sha256(content).hexdigest()


def test_folders_in_a_folder_are_left_out_with_a_word(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "spring" / "old").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "retouch-jobs" / ".retouch").mkdir(parents=True)
    read = open_manifest(str(tmp_path), prompt="p", limit=None)

    (note,) = read.notes
    assert note == (
        f"{tmp_path}: skipped 1 folder (spring); a glob such as '{tmp_path}/**/*.jpg' includes them."
    )


def test_a_glob_into_folders_leaves_out_what_retouch_has_put_there(tmp_path):
    """A schedule would edit its own results, night after night."""
    for name in ("a/one.jpg", "retouch-jobs/job/images/1.jpg", "out/images/2.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for folder in ("retouch-jobs", "retouch-jobs/job", "out"):
        (tmp_path / folder / ".retouch").mkdir()

    assert images(tmp_path / "**/*.jpg") == ["a/one.jpg"]
    assert images(tmp_path / "out/images/*.jpg") == ["2.jpg"], "named by themselves they are meant"
    assert images(tmp_path / "out/**/*.jpg") == ["images/2.jpg"]


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("s3://b/in/", "s3://b/in"),
        ("gs://b/v1.2", "gs://b/v1.2"),
        ("s3://b", "s3://b"),
        ("s3://b/list.csv/", "s3://b/list.csv"),
    ],
)
def test_a_folder_in_a_bucket(url, root):
    place = locate_manifest(url, None)
    assert (place.root, place.format, place.file) == (root, None, None)


def test_a_file_in_a_bucket(tmp_path):
    copied = tmp_path / "list.csv"
    copied.write_text("image,prompt\na.png,x\n")
    place = locate_manifest("s3://b/in/list.csv", copied)
    assert (place.source, place.root, place.format) == ("s3://b/in/list.csv", "s3://b/in", CSV)


@pytest.mark.parametrize(
    ("name", "says"), [("a.png", "a picture"), ("a.xlsx", "a spreadsheet"), ("a.json", "jsonl")]
)
def test_a_file_in_a_bucket_that_is_no_manifest(name, says):
    with pytest.raises(ManifestError, match=says):
        locate_manifest(f"s3://b/{name}", None)


@pytest.mark.parametrize(
    ("url", "root", "pattern"),
    [
        ("s3://bucket/*.png", "s3://bucket", "*.png"),
        ("s3://bucket/in/2026-??/*.jpg", "s3://bucket/in", "2026-??/*.jpg"),
        ("gs://bucket/in/**", "gs://bucket/in", "**"),
        ("s3://bucket/in/[ab]/p.png", "s3://bucket/in", "[ab]/p.png"),
    ],
)
def test_a_glob_in_a_bucket(url, root, pattern):
    place = locate_manifest(url, None)
    assert (place.source, place.root, place.format, place.pattern) == (
        url,
        root,
        None,
        pattern,
    )


def test_a_folder_in_a_bucket_whose_name_looks_like_a_pattern():
    assert locate_manifest("s3://bucket/shoes[1]/", None).pattern is None


def test_the_name_of_a_bucket_is_no_pattern():
    with pytest.raises(ManifestError, match="write it in full"):
        locate_manifest("s3://buck*/in", None)


@pytest.mark.parametrize(
    ("name", "pattern", "meant"),
    [
        ("a.png", "*.png", True),
        ("a/b.png", "*.png", False),
        ("a.PNG", "*.png", False),
        ("a/b.png", "*/*.png", True),
        ("b.png", "**/*.png", True),
        ("a/c/d/b.png", "**/*.png", True),
        ("a/c/d/b.png", "a/**/d/*", True),
        ("a/c/e/b.png", "a/**/d/*", False),
        ("a[1].png", "a[[]1].png", True),
        ("a1.png", "a[0-5].png", True),
    ],
)
def test_which_objects_a_pattern_means(name, pattern, meant):
    assert matches(tuple(name.split("/")), tuple(pattern.split("/"))) is meant
