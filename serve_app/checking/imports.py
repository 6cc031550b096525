"""Import paths that a document names. Serve imports a policy in the controller and in the
dashboard as well, where one that is missing is an error 500."""

import importlib

from serve_app.checking.problem import Problem, Problems, nearest
from serve_app.checking.serve_schema import blocks

KEYS = ("import_path", "policy_function", "request_router_class", "actor_class")


def import_problems(document: object) -> Problems:
    """Import paths that name nothing; `document` has the right shape."""
    for block in blocks(document):
        for key in KEYS:
            path = block.value.get(key)
            message = _try(path) if isinstance(path, str) else ""
            if message:
                yield Problem((*block.path, key), f"{path}: {message}")


def _try(path: str) -> str:
    module_name, _, name = path.rpartition(":" if ":" in path else ".")
    if not module_name:
        return ""  # no import path at all, which Serve's schema says
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # noqa: BLE001 - a module may raise anything while it is imported
        return f"does not import: {type(error).__name__}: {error}"
    if hasattr(module, name):
        return ""
    return f"{module_name} has no {name}" + nearest(name, vars(module))
