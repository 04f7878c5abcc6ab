"""Every answer and condition that the emulator can be ordered to give."""

from __future__ import annotations

from docs.generate.markdown import attributes, code, codes, said, table
from pipeline.gemini.emulator.answers import ANSWERS, parameters_of
from pipeline.gemini.emulator.conditions import When

_INTRO = """# The emulator's faults

`retouch emulator` answers as the API does, unless a rule tells it to answer differently. Give rules with `--fault 'RULE'`
(repeatable) or `--rules FILE` (TOML or JSON). A rule is the name of an answer, conditions that must all hold, and parameters
of the answer. The first rule that matches a call applies:

```sh
retouch emulator --fault 'text_only every=10' --fault 'status code=503 probability=0.05' --latency lognormal:12:0.5
```

```toml
[[rule]]
answer = "text_only"          # default: a picture
contains = "kitten"
times_per_token = 2           # limits how often the rule applies: times, times_per_token
latency = "lognormal:8:0.5"

[[rule]]
contains = "puppy"
hold = true                   # answers these calls when the rules are replaced with PUT /rules

[[rule]]
on = "upload"                 # a request of the Files API; default: a call
answer = "status"
code = 503
times = 1
```

A rule is about calls of `generateContent`, unless `on` names a request of the Files API: `start` of an upload, `upload` of a
piece, `query` (how much has arrived), `finish` (all has), `get`, `delete`. These can be answered with `status`, `bare_429`, `gateway_html`,
`redirect`, `hang` and `reset`, and with `file` and `elsewhere`, and their conditions are `nth`, `every`, `after` and
`probability`. `GET /ledger/files` lists the uploads.

[Try things without a key](../how-to/emulator.md) shows how to use it. Section numbers refer to
[The Gemini image API](gemini-api.md).
"""


def page() -> str:
    """The page."""
    answers = [[code(name), said(answer), _parameters(name)] for name, answer in ANSWERS.items()]
    conditions = [[code(name), text] for name, text in attributes(When).items()]
    return "\n".join(
        [
            _INTRO,
            "## Answers\n",
            table(["answer", "", "parameters and defaults"], answers),
            "## Conditions\n",
            table(["condition", "matches"], conditions),
        ]
    )


def _parameters(name: str) -> str:
    return codes(f"{key}={value!r}" for key, value in parameters_of(name).items())
