import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.channel import handshake, wire
from serve_app.channel.wire import (
    LARGEST_PIECE,
    BadMessage,
    Failed,
    Unframer,
    decode_items,
    decode_order,
    encode,
    framed,
    pieces,
)
from serve_app.engine.protocol import Capacity, Frame, Head, Usage
from serve_app.errors import ERRORS, EngineError
from tests.serving.scripted import report

UNDECODABLE = (ValueError, RecursionError)  # a connection closes on these; no others
DECODERS = {
    "orders": decode_order,
    "items": decode_items,
    "challenge": handshake.decode_challenge,
    "hello": handshake.decode_hello,
    "welcome": handshake.decode_welcome,
}

orders = st.one_of(*(st.from_type(kind) for kind in wire.Order.__args__))
items = st.one_of(*(st.from_type(kind) for kind in wire.Item.__args__))
frames = st.builds(
    Frame,
    st.integers(0, 3 * LARGEST_PIECE + 1).map(bytes),
    choice=st.integers(0, 3),
    token_ids=st.lists(st.integers(0, 1000), max_size=3).map(tuple),
    finished=st.booleans(),
    usage=st.none() | st.builds(Usage),
)


def can_be_compared(message):
    """By annotation a message may hold any int; MessagePack holds 64 bits. NaN equals nothing."""
    try:
        encode(message)
    except OverflowError:
        return False
    return "nan" not in repr(message)


@settings(deadline=None, max_examples=60)
@given(orders.filter(can_be_compared))
def test_an_order_arrives_as_it_was_sent(order):
    assert decode_order(encode(order)) == order


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2**63), items), max_size=3).filter(can_be_compared))
def test_items_arrive_as_they_were_sent_and_in_order(batch):
    assert decode_items(encode(batch)) == batch


@pytest.mark.parametrize(
    ("message", "decode"),
    [
        (handshake.Challenge(b"nonce"), handshake.decode_challenge),
        (handshake.Hello("gateway", b"nonce", b"proof"), handshake.decode_hello),
        (handshake.Welcome(b"proof"), handshake.decode_welcome),
    ],
)
def test_the_messages_of_the_handshake_arrive_as_they_were_sent(message, decode):
    assert decode(encode(message)) == message


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=6), st.lists(st.integers(0, 300)))
def test_messages_are_the_same_however_their_bytes_are_cut(messages, cuts):
    sent = b"".join(framed(message) for message in messages)
    edges = [0, *sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]
    unframer = Unframer(40)
    parts = [sent[start:end] for start, end in itertools.pairwise(edges)]
    assert [message for part in parts for message in unframer.feed(part)] == messages


@pytest.mark.parametrize("size", [11, 2**32 - 1])
def test_a_message_that_is_too_large_is_refused_by_its_length_alone(size):
    length = size.to_bytes(4, "little")
    with pytest.raises(BadMessage, match=f"a message of {size} bytes; 10 fit"):
        list(Unframer(10).feed(length))
    assert list(Unframer(10).feed(framed(bytes(10)))) == [bytes(10)]


@settings(deadline=None, max_examples=60)
@given(frames)
def test_pieces_carry_all_of_a_frame_and_its_tokens_once_at_the_end(frame):
    *first, last = pieces(frame)
    assert b"".join(piece.data for piece in (*first, last)) == frame.data
    assert all(piece == Frame(piece.data, frame.choice) for piece in first)
    assert last == msgspec.structs.replace(frame, data=last.data)
    assert max(len(piece.data) for piece in (*first, last)) <= LARGEST_PIECE


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@settings(deadline=None, max_examples=60)
@given(raw=st.binary(max_size=60))
def test_random_bytes_are_undecodable_or_a_message(decode, raw):
    try:
        decoded = decode(raw)
    except UNDECODABLE:
        return
    assert decode(encode(decoded)) == decoded


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x91" * 1000, id="a thousand arrays, one in another"),
        pytest.param(b"\x93\xa2\xff\xfe\xc4\x00\xc4\x00", id="a name that is not UTF-8"),
        pytest.param(b"\x80", id="an object"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"cserve_app\nERRORS\n.", id="a pickle"),
    ],
)
def test_what_is_no_message_is_undecodable(decode, raw):
    with pytest.raises(UNDECODABLE):
        decode(raw)


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_crosses_the_wire(code):
    error = ERRORS[code]("what was measured", param="n", retry_after_s=1.5)
    (_, failed), *_ = decode_items(encode([(7, Failed.of(error))]))
    arrived = failed.error()
    assert type(arrived) is type(error)
    assert (arrived.code, arrived.message) == (code, "what was measured")
    assert (arrived.param, arrived.retry_after_s) == ("n", 1.5)


def test_an_error_of_a_newer_replica_is_an_engine_error_here():
    arrived = Failed("from_the_future", "what was measured").error()
    assert (type(arrived), arrived.message) == (EngineError, "what was measured")


def test_a_head_is_never_taken_for_an_order():
    with pytest.raises(msgspec.ValidationError):
        decode_order(encode(Head(200)))


@pytest.mark.parametrize(("steps_ahead", "most"), [(0, 2048), (1, 3 * 2048)])
def test_an_engine_that_decides_a_step_ahead_is_sent_the_prompts_of_three(steps_ahead, most):
    capacity = Capacity(1000, 4, 100, max_num_batched_tokens=2048, steps_ahead=steps_ahead)
    told = decode_items(encode([(0, report("r", capacity=capacity))]))
    [(_, heard)] = told
    assert heard.seen_by("g", now=0.0).prefill_most == most
