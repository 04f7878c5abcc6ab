"""One edit, start to end: manifest, request, API, verdict, retry, picture, record, storage, report."""

import sys

# If click and rich are installed, httpx imports its own command line, and with it pygments and more of rich: 3 MB and
# 30 ms at the start, for nothing that is used here. Without this module, httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
