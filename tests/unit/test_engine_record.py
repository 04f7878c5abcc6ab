"""A row's record holds no secret of its pictures' URLs."""

import msgspec

from pipeline.edit import Edit
from pipeline.engine.record import record_of
from pipeline.history import History
from pipeline.record import Outcome


def test_inputs_are_named_without_what_lets_somebody_in():
    images = ("https://user:PW@host/a.png?w=8&sig=PW", "photos/a.png")
    edit = Edit(row=1, line=2, id="a", name="a", images=images)

    record = record_of(edit, History(), Outcome.CANCELLED, model="m")

    assert [picture.path for picture in record.inputs] == [
        "https://host/a.png?w=8&sig=[hidden]",
        "photos/a.png",
    ]
    assert b"PW" not in msgspec.json.encode(record)
