"""A million rows from a manifest to edits: time and peak memory, one process a format.

    .venv/bin/python benchmarks/manifest.py [ROWS]

Each format is read in a process of its own, so that the peak is that format's alone, imports included.
What must hold (issue 2): a minute, 250 MB.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FORMATS = (
    "csv",
    "csv.gz",
    "jsonl",
    "jsonl-without-ids",
    "jsonl-some-ids",
    "parquet",
    "csv-outputs",
    "folder",
)


def _rows(count: int) -> Iterator[tuple[str, str, str, str]]:
    for n in range(count):
        prompt = f"remove the background of item {n}, keep the soft shadow and the label"
        yield f"photos/2024/{n:07d}.jpg", prompt, f"item-{n:07d}", "shoes and more"


def _csv(path: Path, count: int, *, outputs: bool = False) -> None:
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as file:
        file.write("image,prompt,id,category" + (",output\n" if outputs else "\n"))
        for image, prompt, name, category in _rows(count):
            file.write(f'{image},"{prompt}",{name},{category}' + (f",out-{name}\n" if outputs else "\n"))


def _jsonl(path: Path, count: int, *, every: int) -> None:
    """*every*: an id in each so many rows, 0 in none."""
    with path.open("w") as file:
        for n, (image, prompt, _, category) in enumerate(_rows(count), 1):
            row: dict[str, object] = {"image": image, "prompt": prompt, "category": category}
            if every and n % every == 0:
                row["id"] = n + 1
            file.write(json.dumps(row) + "\n")


def _parquet(path: Path, count: int) -> None:
    import pyarrow as pa  # noqa: PLC0415 - only this format pays for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    table = pa.Table.from_arrays(
        [pa.array(column) for column in zip(*_rows(count), strict=True)],
        names=["image", "prompt", "id", "category"],
    )
    pq.write_table(table, path)  # one row group: the worst for memory


def _folder(path: Path, count: int) -> None:
    path.mkdir()
    for n in range(min(count, 100_000)):  # more files say nothing more, and take minutes to make
        (path / f"{n}.png").touch()


def generate(kind: str, folder: Path, count: int) -> Path:
    path = folder / f"manifest.{kind.partition('-')[0]}"
    if kind.startswith("csv"):
        _csv(path, count, outputs=kind == "csv-outputs")
    elif kind.startswith("jsonl"):
        _jsonl(path, count, every={"jsonl": 1, "jsonl-some-ids": 2}.get(kind, 0))
    elif kind == "parquet":
        _parquet(path, count)
    else:
        _folder(path, count)
    return path


def measure(path: Path) -> None:
    """Read *path* in this process and print rows, seconds and peak memory."""
    from pipeline.manifest import open_manifest  # noqa: PLC0415 - the measured process alone

    started = time.perf_counter()
    edits = open_manifest(str(path), prompt="brighten", limit=None).edits()
    rows = faults = 0
    for edit in edits:
        rows += 1
        faults += len(edit.faults)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{rows:>9,} rows {seconds:6.1f} s {rows / seconds:>9,.0f} rows/s {peak:5.0f} MB {faults:>4} faults"
    )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for kind in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            # Made in a process of its own too: a child's peak starts from its parent's size.
            made = [sys.executable, "-c", _MAKE, kind, folder, str(count)]
            path = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
            print(f"{kind:<18}", end="", flush=True)
            subprocess.run([sys.executable, __file__, "--measure", path], check=True)


_MAKE = f"""
import runpy, sys
from pathlib import Path
names = runpy.run_path({__file__!r})
print(names["generate"](sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
"""

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
