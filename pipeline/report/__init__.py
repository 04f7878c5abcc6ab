"""The results for users: a table for spreadsheets, and a page for browsers.

Everything here is synchronous, so call it in a thread. Records are streamed, with one page of them in memory at a
time, so that a million rows take no more memory than a thousand.
"""

from pipeline.report.links import local_inputs
from pipeline.report.pages import write_html
from pipeline.report.spreadsheet import write_csv

__all__ = ["local_inputs", "write_csv", "write_html"]
