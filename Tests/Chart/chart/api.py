"""A Kubernetes API server that remembers, and does nothing else: enough for `helm install`, `upgrade` and `rollback`, and for what a
template looks up. It runs no controllers and checks no schemas; test_render.py has those."""

from __future__ import annotations

import base64
import copy
import http.server
import itertools
import json
import threading
import urllib.parse
import uuid

import yaml

# Plural names, by group and version.
RESOURCES = {
    "v1": {
        "configmaps": "ConfigMap", "persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod", "secrets": "Secret",
        "serviceaccounts": "ServiceAccount", "services": "Service",
    },
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "gateway.networking.k8s.io/v1": {"grpcroutes": "GRPCRoute"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
SCALED = {"deployments", "statefulsets"}
VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.0", "platform": "linux/amd64"}

Key = tuple[str, str, str, str]

# How a body begins that is no JSON: Helm writes its own records, which are Secrets, in protobuf.
PROTOBUF = b"k8s\0"


class API:
    def __init__(self):
        self.objects: dict[Key, dict] = {}
        self.numbers = itertools.count(1)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def find(self, kind: str, name: str) -> dict:
        found = [each for each in self.objects.values() if each["kind"] == kind and each["metadata"]["name"] == name]
        assert len(found) == 1, f"{kind}/{name}: {sorted(key[1:] for key in self.objects)}"
        return found[0]

    # Requests: each returns a status and a body.

    def discover(self, path: str) -> tuple[int, dict] | None:
        groups = [each for each in RESOURCES if "/" in each]
        if path == "/version":
            return 200, VERSION
        if path == "/api":
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in groups]}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version not in RESOURCES:
            return None
        listed = [
            {"name": name, "singularName": kind.lower(), "namespaced": True, "kind": kind,
             "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}
            for name, kind in RESOURCES[version].items()
        ]
        listed += [
            {"name": f"{name}/scale", "singularName": "", "namespaced": True, "group": "autoscaling", "version": "v1", "kind": "Scale",
             "verbs": ["get", "patch", "update"]}
            for name in SCALED & RESOURCES[version].keys()
        ]
        return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}

    def get(self, key: Key, selector: str) -> tuple[int, dict]:
        version, plural, namespace, name = key
        if name:
            return (200, self.objects[key]) if key in self.objects else _missing(key)
        wanted = [part.split("=", 1) for part in selector.split(",") if part]
        items = [
            each for (*place, _), each in self.objects.items()
            if place == [version, plural, namespace]
            and all(each["metadata"].get("labels", {}).get(label) == value for label, value in wanted)
        ]
        return 200, {"kind": RESOURCES[version][plural] + "List", "apiVersion": version, "metadata": {}, "items": items}

    def create(self, key: Key, made: dict) -> tuple[int, dict]:
        place = (*key[:3], made["metadata"]["name"])
        if place in self.objects:
            return 409, _status(409, "AlreadyExists", f"{place[1]} {place[3]} exists")
        return 201, self._keep(place, made)

    def replace(self, key: Key, made: dict) -> tuple[int, dict]:
        return 200, self._keep(key, made)

    def patch(self, key: Key, change: dict, is_apply: bool) -> tuple[int, dict]:
        """A strategic merge is taken for a plain one: a list is replaced. What Helm sends of ours has the whole list."""
        before = self.objects.get(key)
        if before is None and not is_apply:
            return _missing(key)
        return (200 if before else 201), self._keep(key, _merged(before or {}, change))

    def scale(self, key: Key, change: dict) -> tuple[int, dict]:
        """What `kubectl scale` reads and writes instead of the whole object."""
        if key not in self.objects:
            return _missing(key)
        kept = self.objects[key]
        kept["spec"]["replicas"] = change.get("spec", {}).get("replicas", kept["spec"]["replicas"])
        spec = {"replicas": kept["spec"]["replicas"]}
        return 200, {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept["metadata"], "spec": spec, "status": spec}

    def delete(self, key: Key) -> tuple[int, dict]:
        return (200, self.objects.pop(key)) if key in self.objects else _missing(key)

    def _keep(self, key: Key, made: dict) -> dict:
        made = copy.deepcopy(made)
        made |= {"apiVersion": key[0], "kind": RESOURCES[key[0]][key[1]]}
        made["metadata"] |= {"namespace": key[2], "resourceVersion": str(next(self.numbers))}
        made["metadata"].setdefault("uid", str(uuid.uuid4()))
        self.objects[key] = made
        return made


def _group(version: str) -> dict:
    group, number = version.split("/")
    each = {"groupVersion": version, "version": number}
    return {"name": group, "versions": [each], "preferredVersion": each}


def _merged(before: dict, change: dict) -> dict:
    after = dict(before)
    for key, value in change.items():
        if value is None:
            after.pop(key, None)
        elif key.startswith("$"):
            continue  # How a strategic merge orders lists.
        elif isinstance(value, dict) and isinstance(after.get(key), dict):
            after[key] = _merged(after[key], value)
        else:
            after[key] = value
    return after


def _status(code: int, reason: str, message: str) -> dict:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message}


def _missing(key: Key) -> tuple[int, dict]:
    return 404, _status(404, "NotFound", f"{key[1]} {key[3]!r} not found")


def _key(path: str) -> Key | None:
    """/api/v1/namespaces/N/secrets/NAME, or /apis/GROUP/VERSION/…; the name may be missing."""
    parts = path.strip("/").split("/")
    version = parts[1:2] if parts[0] == "api" else parts[1:3]
    rest = parts[1 + len(version):]
    if len(rest) < 3 or rest[0] != "namespaces" or rest[2] not in RESOURCES.get("/".join(version), {}):
        return None
    return "/".join(version), rest[2], rest[1], rest[3] if len(rest) > 3 else ""


def _handler(api: API) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the client would wait 40 ms for the second.
        wbufsize = 65536

        def log_message(self, *_) -> None:
            pass

        def _body(self) -> dict:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "DELETE" or not data:
                return {}  # Options, of which none matters here.
            return read_secret(data) if data.startswith(PROTOBUF) else yaml.safe_load(data)

        def _answer(self, answer: tuple[int, dict] | None) -> None:
            code, body = answer or (404, _status(404, "NotFound", f"nothing at {self.path}"))
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _do(self, method) -> None:
            url = urllib.parse.urlsplit(self.path)
            body = self._body()
            key = _key(url.path)
            if key and url.path.endswith("/scale"):
                return self._answer(api.scale(key, body))
            self._answer(method(key, body, url) if key else api.discover(url.path))

        def do_GET(self) -> None:
            self._do(lambda key, _, url: api.get(key, urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]))

        def do_POST(self) -> None:
            self._do(lambda key, body, _: api.create(key, body))

        def do_PUT(self) -> None:
            self._do(lambda key, body, _: api.replace(key, body))

        def do_PATCH(self) -> None:
            is_apply = "apply-patch" in self.headers["Content-Type"]
            self._do(lambda key, body, _: api.patch(key, body, is_apply))

        def do_DELETE(self) -> None:
            self._do(lambda key, *_: api.delete(key))

    return Handler


# Protobuf, as far as a Secret needs it (k8s.io/api/core/v1/generated.proto)


def read_secret(data: bytes) -> dict:
    """In an envelope whose second field is the object."""
    secret = _fields(_fields(data[len(PROTOBUF):])[2][0])
    metadata = _fields(secret[1][0])
    return {
        "metadata": {"name": metadata[1][0].decode(), "labels": {k: v.decode() for k, v in _map(metadata.get(11, [])).items()}},
        "data": {key: base64.b64encode(value).decode() for key, value in _map(secret.get(2, [])).items()},
        "type": secret[3][0].decode(),
    }


def _map(entries: list[bytes]) -> dict[str, bytes]:
    pairs = [_fields(entry) for entry in entries]
    return {pair[1][0].decode(): pair.get(2, [b""])[0] for pair in pairs}


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """Those that have a length; numbers are passed over."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == 2:
            found.setdefault(tag >> 3, []).append(data[at : at + value])
            at += value
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
