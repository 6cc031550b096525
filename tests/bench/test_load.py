"""When requests leave: in flight, or at their time."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from serve_app.bench.answer import Answer
from serve_app.bench.ask import Ask, Message
from serve_app.bench.load import arriving, effort, in_flight


def asks(count):
    return [Ask((Message("user", str(number)),), 1, 1) for number in range(count)]


class Crowd:
    """Answers a request after everybody else had a turn; counts who is there at once."""

    def __init__(self):
        self.now = self.most = 0
        self.seen = []

    async def send(self, ask):
        self.now += 1
        self.most = max(self.most, self.now)
        self.seen.append(ask.text)
        await asyncio.sleep(0)
        self.now -= 1
        return Answer(input_tokens=int(ask.text))


@given(st.integers(0, 40), st.integers(1, 12))
def test_in_flight_are_as_many_as_asked_for_and_every_request_is_sent_once(count, concurrency):
    crowd = Crowd()
    answers = asyncio.run(in_flight(asks(count), crowd.send, concurrency=concurrency))
    assert crowd.most == min(count, concurrency)
    assert sorted(answer.input_tokens for answer in answers) == list(range(count))


def test_requests_arrive_at_their_times_while_others_are_unanswered():
    async def measured():
        clock = asyncio.get_running_loop().time
        sent_s, everybody_is_here = [], asyncio.Event()

        async def send(ask):
            sent_s.append(clock())
            if len(sent_s) == 3:
                everybody_is_here.set()
            await everybody_is_here.wait()
            return Answer(input_tokens=int(ask.text))

        start_s = clock()
        answers = await arriving(asks(3), send, arrivals_s=[0.0, 0.02, 0.05])
        return answers, [at_s - start_s for at_s in sent_s]

    answers, sent_s = asyncio.run(measured())
    assert [answer.input_tokens for answer in answers] == [0, 1, 2]
    assert all(sent >= due for sent, due in zip(sent_s, [0.0, 0.02, 0.05], strict=True))


def test_the_clients_own_work_is_a_share_of_a_core():
    with effort() as busy:
        sum(range(2_000_000))
    with effort() as idle:
        asyncio.run(asyncio.sleep(0.05))
    assert idle.duration_s >= 0.05
    assert 0 < idle.cpu_share < busy.cpu_share < 1.5
