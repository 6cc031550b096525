"""Whatever happens in whatever order: each call ends exactly once, at both ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.engine.protocol import Call, Frame, Head
from serve_app.errors import EngineOverloaded, ReplicaLost
from tests.channel.scripted import LAST, STREAM, ScriptedReplica, a_call, ends, until

CALLS = 4
FAILED = EngineOverloaded("8 wait; 4 fit")

calls = st.integers(0, CALLS - 1)
events = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["submit", "take", "leave", "finish", "fail"]), calls),
        st.tuples(st.just("say"), calls, st.sampled_from([b"", b"word", bytes(50_000)])),
        st.tuples(st.just("turns"), st.integers(1, 6)),
        st.tuples(st.just("disconnect"), st.sampled_from(["gateway", "replica"])),
    ),
    max_size=40,
)


class LiveReplica(ScriptedReplica):
    """Says what it is told to while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.to_say = [asyncio.Queue() for _ in range(CALLS)]

    async def generate(self, call: Call) -> AsyncGenerator[Head | Frame, None]:
        self.called.append(call.request_id)
        try:
            yield STREAM
            while True:
                item = await self.to_say[int(call.request_id)].get()
                if item is FAILED:
                    raise item
                yield item
                if item is LAST:
                    return
        finally:
            self.ended.append(call.request_id)


class Reader:
    """A client that takes when it is told to."""

    def __init__(self, channel, number):
        self.may_take = asyncio.Semaphore(0)
        self.heard = b""
        self.reading = asyncio.create_task(self.read(channel.call(a_call(str(number)))))

    async def read(self, call):
        try:
            async with aclosing(call) as items_of_call:
                async for items in items_of_call:
                    self.heard += b"".join(i.data for i in items if isinstance(i, Frame))
                    await self.may_take.acquire()
        except (EngineOverloaded, ReplicaLost) as error:
            return error.code
        return "finished"

    async def outcome(self):
        """How the call ended: only leaving cancels the task that reads."""
        await asyncio.wait([self.reading])
        return "left" if self.reading.cancelled() else self.reading.result()


class Ledger:
    """Plays events on a channel and keeps the books that both of its ends must agree with."""

    def __init__(self, both, replica):
        self.both, self.replica = both, replica
        self.readers, self.said = {}, [b""] * CALLS
        self.done = {name: set() for name in ("leave", "finish", "fail", "disconnect")}

    async def play(self, kind, subject, data=b""):
        match kind:
            case "submit" if subject not in self.readers:
                self.readers[subject] = Reader(self.both.channel, subject)
            case "take" if subject in self.readers:
                self.readers[subject].may_take.release()
            case "leave" if subject in self.readers:
                self.readers[subject].reading.cancel()
                self.done[kind].add(subject)
            case "say" | "finish" | "fail" if (
                subject not in self.done["finish"] | self.done["fail"]
            ):
                self.say(kind, subject, data)
            case "disconnect":
                self.disconnect(subject)
            case "turns":
                for _ in range(subject):
                    await asyncio.sleep(0)

    def say(self, kind, subject, data):
        item = {"say": Frame(data), "finish": LAST, "fail": FAILED}[kind]
        self.replica.to_say[subject].put_nowait(item)
        self.said[subject] += data
        if kind != "say":
            self.done[kind].add(subject)

    def disconnect(self, end):
        connections = {"gateway": [self.both.channel], "replica": self.both.server._connections}
        for connection in list(connections[end]):
            connection.close()
            self.done["disconnect"].add(end)

    async def settle(self):
        """Every engine ends its call, every client takes everything."""
        for subject, reader in self.readers.items():
            await self.play("finish", subject)
            for _ in range(100):
                reader.may_take.release()
        outcomes = {s: await reader.outcome() for s, reader in self.readers.items()}
        await until(lambda: not self.both.server.running)
        return outcomes

    def check(self, outcomes):
        for subject, outcome in outcomes.items():
            heard, said = self.readers[subject].heard, self.said[subject]
            assert said.startswith(heard)
            assert outcome != "finished" or (heard == said and subject in self.done["finish"])
            assert outcome != "left" or subject in self.done["leave"]
            assert outcome != FAILED.code or subject in self.done["fail"]
            assert outcome != ReplicaLost.code or self.done["disconnect"]
        assert self.both.channel._readings == {}
        assert sorted(self.replica.ended) == sorted(self.replica.called)
        assert len(set(self.replica.called)) == len(self.replica.called)


@settings(deadline=None, max_examples=60)
@given(script=events)
def test_each_call_ends_once_whatever_happens(run, script):
    async def work():
        replica = LiveReplica()
        async with ends(replica) as both:
            ledger = Ledger(both, replica)
            for event in script:
                await ledger.play(*event)
            ledger.check(await ledger.settle())

    run(work())
