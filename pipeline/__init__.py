"""One edit, start to end: manifest, request, API, verdict, retry, picture, record, storage, report."""
