"""What the nodes of the Ray cluster that runs here hold, as `ray status` has it."""

import logging

import ray

from serve_app.core.placement import Resources


def connect() -> None:
    """To the cluster that runs here; raises `ConnectionError` without one."""
    if not ray.is_initialized():
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)


def alive_nodes() -> list[Resources]:
    """The resources of each node; raises `ConnectionError` without a cluster."""
    connect()
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
