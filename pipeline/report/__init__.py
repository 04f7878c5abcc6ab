"""What people read when a job is over: one table for spreadsheets, one page for browsers.

Everything here is synchronous and streams: records go in one by one, and what is held at any moment is a page
of them, so that a million rows cost no more memory than a thousand. Call it in a thread.
"""

from pipeline.report.links import local_inputs
from pipeline.report.pages import write_html
from pipeline.report.spreadsheet import write_csv

__all__ = ["local_inputs", "write_csv", "write_html"]
