"""cluster/kubernetes: against Kubernetes' own schema, KubeRay's fields, and what it derives from.

KubeRay's schema is a megabyte of generated YAML, nearly all of it Kubernetes' pods. So pods are
checked by Kubernetes' schema, and around them the fields of KubeRay's Go types are listed here.
"""

import subprocess
from typing import Any

import pytest
import yaml
from kubernetes_validate import ValidationError, validate

from tests.ray.serve_run import CLUSTER, DEPLOYMENTS

KUBERNETES = "1.33"
FOLDER = CLUSTER / "kubernetes"
# The json names in ray-operator/apis/ray/v1 of ray-project/kuberay, November 2026, that a
# RayService of 1.5 or newer may have; a name that is not here is a typo or needs a look there.
FIELDS = {
    "RayService": "apiVersion kind metadata spec",
    "spec": "serveConfigV2 rayClusterConfig upgradeStrategy serveService excludeHeadPodFromServeSvc"
    " rayClusterDeletionDelaySeconds",
    "rayClusterConfig": "rayVersion authOptions enableInTreeAutoscaling autoscalerOptions"
    " gcsFaultToleranceOptions headGroupSpec workerGroupSpecs headServiceAnnotations",
    "authOptions": "mode secretName",
    "autoscalerOptions": "version idleTimeoutSeconds upscalingMode resources image imagePullPolicy"
    " env envFrom volumeMounts securityContext",
    "headGroupSpec": "rayStartParams template serviceType headService enableIngress resources"
    " labels",
    "workerGroupSpecs": "groupName replicas minReplicas maxReplicas numOfHosts idleTimeoutSeconds"
    " rayStartParams template scaleStrategy resources labels",
}
REQUIRED = {
    "spec": {"rayClusterConfig"},
    "rayClusterConfig": {"headGroupSpec"},
    "headGroupSpec": {"template"},
    "workerGroupSpecs": {"groupName", "minReplicas", "maxReplicas", "template"},
}


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "rayservice.yaml").read_text())


@pytest.fixture(scope="module")
def groups(service: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = service["spec"]["rayClusterConfig"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def pod(group: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": "pod"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": group["template"]["spec"]}


def containers(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_every_field_around_the_pods_is_one_of_kuberays(
    service: dict[str, Any], groups: list[dict[str, Any]]
) -> None:
    spec = service["spec"]
    cluster = spec["rayClusterConfig"]
    parts = [("RayService", service), ("spec", spec), ("rayClusterConfig", cluster)]
    parts += [(name, cluster[name]) for name in ("authOptions", "autoscalerOptions")]
    parts += [("headGroupSpec", groups[0]), *(("workerGroupSpecs", g) for g in groups[1:])]

    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    assert spec["upgradeStrategy"]["type"] in {"NewCluster", "None"}
    assert cluster["authOptions"]["mode"] == "token"
    for name, part in parts:
        assert part.keys() <= set(FIELDS[name].split()), name
        assert part.keys() >= REQUIRED.get(name, set()), name
    for group in groups:
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_kubernetes_takes_the_pods(groups: list[dict[str, Any]]) -> None:
    for group in groups:
        validate(pod(group), KUBERNETES, strict=True)


def test_kubernetes_would_refuse_a_typo(groups: list[dict[str, Any]]) -> None:
    broken = pod(groups[1])
    broken["spec"] = {**broken["spec"], "nodeSelektor": {}}
    with pytest.raises(ValidationError, match="nodeSelektor"):
        validate(broken, KUBERNETES, strict=True)


def test_kubernetes_takes_the_disk_and_the_job_that_fills_it() -> None:
    documents = list(yaml.safe_load_all((FOLDER / "model.yaml").read_text()))
    for document in documents:
        validate(document, KUBERNETES, strict=True)

    assert [document["kind"] for document in documents] == ["PersistentVolumeClaim", "Job"]


def test_it_serves_deepseek_yaml_on_an_address_that_pods_can_reach(service: dict[str, Any]) -> None:
    expected = yaml.safe_load((DEPLOYMENTS / "deepseek.yaml").read_text())
    expected["http_options"]["host"] = "0.0.0.0"

    assert yaml.safe_load(service["spec"]["serveConfigV2"]) == expected


def test_the_variables_are_those_of_bare_metal(groups: list[dict[str, Any]]) -> None:
    source = 'set -a; . "$1/environment"; . "$1/haproxy.env"; env -0'
    sourced = subprocess.check_output(["env", "-i", "sh", "-c", source, "sh", CLUSTER], text=True)
    metal = dict(variable.split("=", 1) for variable in sourced.split("\0") if variable)
    head, worker = (environment(container) for container in containers(groups))

    drain = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": metal["SERVE_APP_DRAIN_S"]}
    assert worker == head | drain
    assert head == {name: metal[name] for name in head}
    assert {name for name in metal if name.startswith("RAY_SERVE_")} <= head.keys()


def test_the_models_the_keys_and_shared_memory_are_where_they_are_looked_for(
    service: dict[str, Any], groups: list[dict[str, Any]]
) -> None:
    for group, container in zip(groups, containers(groups), strict=True):
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        mounted = {m["mountPath"]: volumes[m["name"]] for m in container["volumeMounts"]}
        assert mounted["/dev/shm"]["emptyDir"]["medium"] == "Memory"
        assert "secret" in mounted["/etc/serve-app"]
        models = mounted[environment(container)["SERVE_APP_MODELS"]]
        assert models["persistentVolumeClaim"]["claimName"] == "serve-app-models"


def test_one_replica_fits_a_worker_and_no_probe_asks_the_model(
    service: dict[str, Any], groups: list[dict[str, Any]]
) -> None:
    engine = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"][0]["deployments"][0]
    wanted = sum(bundle.get("GPU", 0) for bundle in engine["placement_group_bundles"])
    [worker] = containers(groups[1:])

    assert worker["resources"]["limits"]["nvidia.com/gpu"] == str(wanted)
    scaling, group = engine["autoscaling_config"], groups[1]
    assert scaling["min_replicas"] == group["minReplicas"]
    assert scaling["max_replicas"] == group["maxReplicas"]
    probes = [worker[f"{kind}Probe"]["exec"]["command"] for kind in ("startup", "liveness")]
    assert all(command[-1].endswith("/api/local_raylet_healthz") for command in probes)


def test_a_pod_has_time_to_drain(groups: list[dict[str, Any]]) -> None:
    spec = groups[1]["template"]["spec"]
    [worker] = spec["containers"]

    drain_s = int(environment(worker)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert spec["terminationGracePeriodSeconds"] > drain_s
