"""Manifests: files, folders, globs and standard input become edits and faults, streamed.

The modules, in the order in which a row passes through them::

    place.py      what the argument names: file, folder, glob, standard input
    formats.py    the formats of files, each with its endings and its reader
    file.py       bytes and lines of one file, in bounded memory; names damage and encodings
    delimited.py  jsonl.py  parquet.py  pictures.py      a reader per format: rows as cells
    columns.py    what the columns are called        cells.py      cells to typed values
    template.py   ``{column}`` in prompts            naming.py    ids and file names, unique in the job
    reader.py     the row as a reader gives it       manifest.py  rows to edits, numbered
    bucket.py     a folder or a file in a bucket
    mistaken.py   what only looks like a manifest: a job's results, pictures in a column of another name
    shards.py     edits cut into shards              spool.py     standard input to a file
    selection.py  some pictures of a folder, chosen beforehand: what is new or changed

A new format is a new reader and an entry in ``formats.py``.
"""

from pipeline.manifest.bucket import fetched
from pipeline.manifest.file import Fingerprint
from pipeline.manifest.manifest import Manifest, open_manifest, open_pictures, open_selection
from pipeline.manifest.place import is_file_of_bucket
from pipeline.manifest.selection import Chosen
from pipeline.manifest.spool import spool

__all__ = [
    "Chosen",
    "Fingerprint",
    "Manifest",
    "fetched",
    "is_file_of_bucket",
    "open_manifest",
    "open_pictures",
    "open_selection",
    "spool",
]
