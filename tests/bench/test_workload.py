"""What requests of a workload share, and how long they are."""

import pytest

from serve_app.bench.ask import Ask, Message
from serve_app.bench.words import Words, dice_of
from serve_app.bench.workload import Chat, Random, SharedPrefix

LENGTHS = {"input_tokens": 20, "output_tokens": 5}
ALL = [
    Random(Words(), **LENGTHS),
    SharedPrefix(Words(), prefix_tokens=40, prefixes=3, **LENGTHS),
    Chat(Words(), prefix_tokens=40, turns=3, **LENGTHS),
]


def asks(workload, count=9, seed=0):
    return workload.asks(count, dice_of(seed))


@pytest.mark.parametrize("workload", ALL, ids=str)
def test_every_request_has_as_many_words_as_it_says(workload):
    assert all(len(ask.text.split()) == ask.input_tokens for ask in asks(workload))
    assert all(ask.output_tokens == 5 for ask in asks(workload))


@pytest.mark.parametrize("workload", ALL, ids=str)
def test_equal_dice_make_equal_requests_and_others_make_others(workload):
    assert asks(workload) == asks(workload)
    assert asks(workload)[0].text != asks(workload, seed=1)[0].text


@pytest.mark.parametrize("workload", ALL, ids=str)
def test_the_longest_request_is_as_long_as_the_workload_says(workload):
    longest = max(ask.input_tokens + ask.output_tokens for ask in asks(workload))
    assert longest == workload.longest_tokens


def test_random_prompts_share_nothing():
    beginnings = {ask.text[:24] for ask in asks(ALL[0])}
    assert len(beginnings) == 9


def test_shared_prefixes_are_taken_in_turn_and_followed_by_words_of_ones_own():
    texts = [ask.text.split() for ask in asks(ALL[1])]
    assert texts[0][:40] == texts[3][:40] == texts[6][:40]
    assert texts[0][:40] != texts[1][:40]
    assert texts[0][40:] != texts[3][40:]


def test_a_turn_of_a_chat_repeats_all_that_was_said_before_it():
    first, _, _, second, _, _, third, *_ = asks(ALL[2])
    assert second.messages[: len(first.messages)] == first.messages
    assert third.messages[: len(second.messages)] == second.messages
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]


def test_all_chats_are_under_one_system_prompt():
    assert len({ask.messages[0] for ask in asks(ALL[2])}) == 1


def test_a_mark_changes_the_first_words_and_no_length():
    ask = asks(ALL[2])[4]
    marked = ask.marked(["one", "two"])
    assert marked.text.split()[:2] == ["one", "two"]
    assert marked.text.split()[2:] == ask.text.split()[2:]


def test_a_mark_does_not_lengthen_a_prompt_that_is_shorter_than_it():
    ask = Ask((Message("user", "hi"),), input_tokens=1, output_tokens=1)
    assert ask.marked(["one", "two"]).text == "one"
