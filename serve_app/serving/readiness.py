"""What a replica makes sure of before it loads: facts of its nodes, judged by `core.preflight`."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from typing import Any

import ray

from serve_app.config import EngineArgs
from serve_app.core.layout import Gpu, Hardware
from serve_app.core.preflight.context import context_findings, told_findings
from serve_app.core.preflight.finding import Finding, Findings, Verdict, verdict
from serve_app.core.preflight.gpus import count_findings, memory_findings
from serve_app.core.preflight.node import NodeFacts
from serve_app.core.preflight.room import (
    checkpoint_findings,
    disk_findings,
    port_findings,
    shared_memory_findings,
)
from serve_app.core.preflight.spread import spread_findings
from serve_app.core.preflight.support import support_findings
from serve_app.core.preflight.versions import version_findings
from serve_app.engine import needs
from serve_app.engine.vllm_models import SUPPORTED
from serve_app.errors import NotReady
from serve_app.models import ModelError, cache, checkpoint
from serve_app.planning.candidate import candidate_of
from serve_app.planning.errors import PlanError
from serve_app.planning.model import of_config
from serve_app.probing.disks import written
from serve_app.probing.probe import Probe
from serve_app.serving.placed import Placed, placed
from serve_app.serving.probes import gather

logger = logging.getLogger("ray.serve")

AGAIN_S = 1.0
