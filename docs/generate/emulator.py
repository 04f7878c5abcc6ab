"""Every answer and condition that the emulator can be ordered to give."""

from __future__ import annotations

from docs.generate.markdown import attributes, code, codes, said, table
from pipeline.gemini.emulator.answers import ANSWERS, parameters_of
from pipeline.gemini.emulator.conditions import When

_INTRO = """# The emulator's faults

`retouch emulator` answers as the API does, and in other ways when a rule says so: `--fault 'RULE'`, as often as you like, or
`--rules FILE` (TOML or JSON). The first rule that holds for a call decides. A rule is the name of an answer, conditions that
must all hold, and parameters of the answer:

```sh
retouch emulator --fault 'text_only every=10' --fault 'status code=503 probability=0.05' --latency lognormal:12:0.5
```

```toml
[[rule]]
answer = "text_only"          # left out: the picture
contains = "kitten"
times_per_token = 2           # limits: times, times_per_token
latency = "lognormal:8:0.5"
```

[Try things without a key](../how-to/emulator.md) says what it is good for.
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
            table(["condition", "holds for"], conditions),
        ]
    )


def _parameters(name: str) -> str:
    return codes(f"{key}={value!r}" for key, value in parameters_of(name).items())
