"""Who could use a gateway that asks for no keys: whoever reaches the address it listens on."""

from ipaddress import ip_address

from serve_app.checking.part import mapping
from serve_app.checking.problem import Problem, Problems


class Exposed(Problem):
    """A gateway that would answer anybody; where Serve listens in fact, `serve run` asks Serve."""


def exposure_problems(user_config: object, host: object) -> Problems:
    """What is wrong with the `auth` of a gateway on `host`. A variable that it names is looked
    for when the gateway starts, on the gateway's node."""
    auth = mapping(user_config).get("auth")
    names_keys = any(mapping(auth).get(name) for name in ("keys_file", "keys_env"))
    message = exposure(host, has_keys=names_keys)
    if message and auth != "none":
        yield Exposed(("user_config", "auth"), message)


def exposure(host: object, *, has_keys: bool) -> str:
    """What is wrong with a gateway on `host`; empty if nothing is.

    >>> exposure("127.0.0.1", has_keys=False), exposure("0.0.0.0", has_keys=True)
    ('', '')
    """
    if has_keys or is_loopback(host):
        return ""
    return (
        f"anybody who reaches {host} (http_options.host) could use the gateway: name a keys_file "
        "or a keys_env (docs/keys.md), or say `auth: none`"
    )


def is_loopback(host: object) -> bool:
    """Whether only this machine reaches `host`; Serve listens nowhere when it is None.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")]
    [True, True, True]
    >>> [is_loopback(host) for host in ("0.0.0.0", "::", "", "10.0.0.1", "gateway.example")]
    [False, False, False, False, False]
    """
    if host is None or host == "localhost":
        return True
    try:
        return ip_address(str(host)).is_loopback
    except ValueError:
        return False  # a name, which may be any address
