"""Rules fire for the calls they name, as often as they say, and their faults are told in one sentence."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import UsageError
from pipeline.gemini.emulator.answers import ANSWERS
from pipeline.gemini.emulator.conditions import Facts
from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.rule_file import load_rules, parse_fault, rule
from pipeline.gemini.emulator.rules import RuleBook


def call(
    n=1,
    token="a",
    attempt=1,
    prompt="a kitten",
    model="gemini-3-pro-image",
    modalities=("TEXT", "IMAGE"),
    inputs=1,
):
    return Facts(
        n=n,
        token=token,
        attempt=attempt,
        prompt=prompt,
        model=model,
        modalities=frozenset(modalities),
        inputs=inputs,
    )


def fires(ordered, facts):
    return RuleBook([ordered]).choose(facts) is ordered


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ({"nth": 3}, call(n=3), call(n=4)),
        ({"nth": [1, 3]}, call(n=1), call(n=2)),
        ({"every": 10}, call(n=20), call(n=21)),
        ({"after": 5}, call(n=6), call(n=5)),
        ({"contains": "KITTEN"}, call(), call(prompt="a dog")),
        ({"matches": "cat|dog$"}, call(prompt="a dog"), call(prompt="dog house")),
        ({"token": ["a", "b"]}, call(token="b"), call(token="c")),
        ({"attempt": 2}, call(attempt=2), call(attempt=1)),
        ({"model": "gemini-3-pro-image"}, call(), call(model="gemini-2.5-flash-image")),
        ({"modalities": "IMAGE"}, call(modalities=["IMAGE"]), call()),
        ({"inputs": 0}, call(inputs=0), call(inputs=1)),
        ({"probability": 1.0}, call(), None),
        ({"every": 2, "contains": "dog"}, call(n=2, prompt="dog"), call(n=2)),
    ],
)
def test_a_rule_fires_when_all_its_conditions_hold(condition, yes, no):
    """And only then."""
    ordered = rule("text_only", **condition)
    assert fires(ordered, yes)
    assert no is None or not fires(ordered, no)


def test_a_rule_fires_on_its_own_request_alone():
    """Calls and the requests of the Files API do not see each other's rules."""
    book = RuleBook([rule("status", on="start", nth=2), rule("file", polls=3), rule("text_only")])
    assert [book.choose(Facts(n=n, on="start")).answer for n in (1, 2)] == ["picture", "status"]
    assert book.choose(Facts(n=1, on="finish")).answer == "file"
    assert book.choose(Facts(n=1, on="delete")).answer == "picture"
    assert book.choose(call(n=2)).answer == "text_only"


@pytest.mark.parametrize(
    ("answer", "given", "said"),
    [
        ("file", {"on": "call"}, 'answers no call, but on = "finish"'),
        ("text_only", {"on": "start"}, 'on "start" there is no "text_only"'),
        ("elsewhere", {"on": "upload"}, 'on "upload" there is no "elsewhere"'),
        ("status", {"on": "get", "contains": "cat"}, "can say which"),
        (
            "status",
            {"on": "everything"},
            "expected call or start or upload or query or finish or get or delete",
        ),
    ],
)
def test_an_answer_that_a_request_cannot_have_is_told(answer, given, said):
    """With what it can have."""
    with pytest.raises(UsageError, match=said):
        rule(answer, **given)


def test_rules_are_tried_in_order_and_the_picture_is_what_is_left():
    """First match wins."""
    book = RuleBook([rule("empty", nth=1), rule("null", after=0, times=1)])
    assert [book.choose(call(n=n)).answer for n in (1, 2, 3)] == ["empty", "null", "picture"]


def test_text_twice_and_then_a_picture_for_each_token():
    """One rule is enough."""
    book = RuleBook([rule("text_only", times_per_token=2)])
    answers = {token: [book.choose(call(token=token)).answer for _ in range(3)] for token in ("a", "b")}
    assert answers == {token: ["text_only", "text_only", "picture"] for token in ("a", "b")}


def test_times_counts_over_all_tokens():
    """Also where both limits are given."""
    book = RuleBook([rule("text_only", times=3, times_per_token=2)])
    assert [book.choose(call(token=token)).answer for token in "aaabbb"].count("text_only") == 3


def test_new_rules_begin_to_count_anew():
    """The weather changes while calls run."""
    once = rule("empty", times=1)
    book = RuleBook([once])
    assert book.choose(call()).answer == "empty"
    assert book.choose(call()).answer == "picture"
    book.order([once])
    assert book.choose(call()).answer == "empty"


def test_probability_does_not_depend_on_the_order_of_calls():
    """A seeded draw by token and attempt, near its share, another for another seed."""
    calls = [call(n=n, token=f"t{n}") for n in range(1, 1001)]

    def hit(seed, facts):
        book = RuleBook([rule("empty", probability=0.3)], seed=seed)
        return {one.token for one in facts if book.choose(one).answer == "empty"}

    assert hit(1, calls) == hit(1, reversed(calls))
    assert hit(1, calls) != hit(2, calls)
    assert 250 < len(hit(1, calls)) < 350


def test_reset_before_is_chosen_before_the_body_and_nothing_else_is():
    """It cannot know what the body says."""
    book = RuleBook([rule("text_only"), rule("reset_before", nth=1)])
    assert book.before_body(Facts(n=1, model="x")).answer == "reset_before"
    assert book.before_body(Facts(n=2, model="x")) is None
    assert book.choose(call(n=1)).answer == "text_only"


def test_a_toml_and_a_json_file_and_a_line_say_the_same(tmp_path):
    """Three ways to write one rule."""
    toml, as_json = tmp_path / "rules.toml", tmp_path / "rules.json"
    toml.write_text(
        '[[rule]]\nanswer = "rate_limited"\nevery = 3\nretry_delay = 2\nlatency = "uniform:0:1"\n'
        'model = "gemini-3-pro-image"\n'
    )
    given = {
        "answer": "rate_limited",
        "every": 3,
        "retry_delay": 2,
        "latency": "uniform:0:1",
        "model": "gemini-3-pro-image",
    }
    as_json.write_text(json.dumps({"rules": [given]}))
    line = parse_fault("rate_limited every=3 retry_delay=2 latency=uniform:0:1 model=gemini-3-pro-image")
    assert load_rules(toml) == load_rules(as_json) == (line,)
    assert line.parameters == {"retry_delay": 2.0}
    assert line.latency == Latency("uniform", 0.0, 1.0)


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_can_be_ordered_by_its_name(answer):
    """With all its parameters left out."""
    assert rule(answer).answer == answer


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("text_onyl", 'there is no answer "text_onyl"'),
        ("text_only colour=red", '"colour" is not known to "text_only"'),
        ("text_only nth=0", "nth = 0 cannot be read: expected a number from 1 up"),
        ("text_only probability=2", "expected a number from 0 to 1"),
        ("text_only matches=(", "matches = '(' cannot be read"),
        ("text_only modalities=AUDIO", "expected TEXT or IMAGE"),
        ("text_only latency=often", 'the latency "often" cannot be read'),
        ("picture file_format=tiff", "expected png or jpeg or webp or avif or heic"),
        ("status code=abc", "code = 'abc' cannot be read: expected int"),
        ("text_only spelling=loud", "expected camel or snake"),
        ("text_only twice", '"twice" should read name=value'),
        ('text_only "', "cannot be read"),
        ("reset_before contains=x", "reset_before comes before the body is read"),
        ("reset_before times_per_token=1", "reset_before comes before the body is read"),
        ("reset_before hold=true", "only the answer to a call can be held"),
        ("status on=upload hold=true", "only the answer to a call can be held"),
        ("text_only hold=1", "hold = 1 cannot be read"),
    ],
)
def test_a_wrong_rule_is_told_in_one_sentence(text, sentence):
    """It names the rule and the word at fault."""
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("rules.toml", "[[rule]\n", "is not valid TOML"),
        ("rules.json", "{", "is not valid JSON"),
        ("rules.json", "{}", None),
        ("rules.json", '{"faults": []}', '"faults" is not known'),
        ("rules.json", '"text_only"', "rules must be a list of tables"),
        (
            "rules.toml",
            '[[rule]]\nanswer = "empty"\n[[rule]]\nanswer = "nope"\n',
            "rule 2: there is no answer",
        ),
        ("missing.toml", None, "cannot be read: No such file"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path, name, text, sentence):
    """It names the file and the rule's number."""
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    if sentence is None:
        assert load_rules(path) == ()
        return
    with pytest.raises(UsageError, match=name) as caught:
        load_rules(path)
    assert sentence in str(caught.value)
