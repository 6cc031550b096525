"""What gateways and the ledger tell each other, a few times a second.

Amounts are cumulative, so that a message or an answer that is lost is made good by the next
one, and counted once. Named tuples, because Ray pickles these by the thousand.
"""

from typing import NamedTuple

EVEN = 0.5
"""This part of every share is the same for all gateways, so that a tenant is not shut out of
a gateway that it never used; the rest follows demand. Shares hold while there is no ledger."""

INTERVAL_S = 0.5
"""How often a gateway speaks at least; it also asks when it has less than a request needs."""

SILENCE_S = 2.0
"""A gateway that has heard nothing for this long goes by its share of the limits."""

QUIET_S = 1.5
"""A gateway that may have heard nothing for this long: the ledger puts its share aside.
Shorter than `SILENCE_S`, so that nothing is spent twice."""

GONE_S = 5.0
"""A gateway that has said nothing for this long is no more; its share goes to the others."""

WARM_UP_S = 1.5
"""A new ledger listens for this long before it answers: until all have told what they know."""

Key = tuple[str, str, str]
"""Whose limit: ("tenant" or "key", its name, the limit's name)."""


class Claim(NamedTuple):
    """One limit, as a gateway sees it."""

    key: Key
    generation: int  # of the gateway's books; the amounts below count from its start
    capacity: int
    per_s: float  # 0 is a limit of requests at once
    granted: int  # by the ledger, as far as this gateway has heard
    spent: int
    returned: int
    recent: int  # asked for in about the last second
    usual: int  # the size of a large request of the last minute
    needed: int  # asked for and not there, or about to be spent
    unit: int  # the least that would let a refused request through; 0 is none
    share: float
    view: float  # the level, had no other gateway taken anything since it was heard


class Message(NamedTuple):
    """From a gateway; the higher of two numbers is the later message."""

    gateway: str
    number: int
    ledger: str  # who answered last, and when by its clock; "" is nobody
    heard_at: float
    claims: list[Claim]


class Grant(NamedTuple):
    """One limit, as the ledger answers it."""

    granted: int
    keep: int  # what this gateway holds beyond it goes back
    level: float  # in the ledger, for everybody
    share: float
    is_scarce: bool  # all gateways together need more: no use to ask again


class Answer(NamedTuple):
    """From the ledger named `ledger`: a grant for each claim, or none, if it is not ready."""

    ledger: str
    at: float
    gateways: int
    is_ready: bool
    grants: list[Grant]
