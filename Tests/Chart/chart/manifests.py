"""Finding one's way in what Helm rendered."""

from __future__ import annotations

from typing import Iterator

Document = dict


def find(documents: list[Document], kind: str, name: str) -> Document:
    found = [each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name]
    known = sorted(f"{each['kind']}/{each['metadata']['name']}" for each in documents)
    assert len(found) == 1, f"{len(found)} times {kind}/{name} in {known}"
    return found[0]


def kinds(documents: list[Document]) -> set[str]:
    return {each["kind"] for each in documents}


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [each for each in documents if each["kind"] == kind]


def pod_templates(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Name and pod (metadata and spec) of whatever makes pods."""
    for each in documents:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            yield name, each
        elif each["kind"] in ("StatefulSet", "Deployment"):
            yield name, each["spec"]["template"]


def own_containers(pod: Document) -> list[Document]:
    """Without what a user added."""
    return [each for each in pod["spec"]["containers"] if each["name"] != "beside"]


def environment(container: Document) -> dict[str, str | None]:
    """None for what comes from elsewhere."""
    return {each["name"]: each.get("value") for each in container["env"]}


def matches(selector: Document, labels: dict[str, str]) -> bool:
    """As Kubernetes matches a label selector; of the operators only In is used here."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", []) if each["operator"] == "In"
    )
