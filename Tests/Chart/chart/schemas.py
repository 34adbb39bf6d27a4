"""Kubernetes' own schemas, by kubernetes-validate, strictly: a field that a version does not know is an error."""

from __future__ import annotations

import functools
import json

from kubernetes_validate import utils

# They come with operators, and Kubernetes has no schema of them.
CUSTOM = {"GRPCRoute", "PodMonitor", "PrometheusRule"}

counts = {"validated": 0}

# It reads its large files again for each resource; they do not change.
utils.schema_contents = functools.cache(utils.schema_contents)


@functools.cache
def _problem(text: str, version: str) -> str:
    document = json.loads(text)
    counts["validated"] += 1
    try:
        utils.validate(document, version, strict=True)
    except utils.SchemaNotFoundError as missing:
        return "" if document["kind"] in CUSTOM else missing.message
    except utils.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return ""


def problems(documents: list[dict], version: str) -> list[str]:
    """What Kubernetes of this version would find wrong. One that was looked at before is not looked at again."""
    found = []
    for document in documents:
        problem = _problem(json.dumps(document, sort_keys=True), version)
        if problem:
            found.append(f"{document['kind']}/{document['metadata']['name']}: {problem}")
    return found
