"""One edit, start to end: manifest, request, API, verdict, retry, picture, record, storage, report."""

import sys

# httpx imports its command line with itself, where click and rich are installed, and with that pygments and more of
# rich: 3 MB and 30 ms at the start, for nothing that is of use here. Without it, httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
