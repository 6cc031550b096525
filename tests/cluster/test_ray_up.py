"""cluster/ray-up.yaml, by the checks that `ray up` makes before it asks the cloud."""

from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.ray.serve_run import CLUSTER


@pytest.fixture
def document() -> dict[str, Any]:
    return yaml.safe_load((CLUSTER / "ray-up.yaml").read_text())


def test_ray_up_takes_the_file(document: dict[str, Any]) -> None:
    prepared = prepare_config(document)
    validate_config(prepared)

    gpus = prepared["available_node_types"]["h200"]
    assert (gpus["min_workers"], gpus["max_workers"], gpus["resources"]["GPU"]) == (1, 4, 8)


def test_ray_up_would_refuse_a_typo(document: dict[str, Any]) -> None:
    document["idle_timeout_minute"] = 5
    with pytest.raises(ValidationError, match="idle_timeout_minute"):
        validate_config(prepare_config(document))


def test_the_nodes_start_by_our_scripts(document: dict[str, Any]) -> None:
    started = " ".join(document["head_start_ray_commands"] + document["worker_start_ray_commands"])

    for script in ("head.sh", "worker.sh"):
        assert f"/opt/serve-app/cluster/{script} /etc/serve-app/environment" in started
        assert (CLUSTER / script).is_file()
