"""Who may talk to whom, by the rendered NetworkPolicies: what a network that enforces them would let through."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from .manifests import matches, of_kind


@dataclass(frozen=True)
class Peer:
    """A pod with labels, in a namespace with labels, or an address outside."""

    name: str
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    namespace: dict[str, str] | None = field(default=None, hash=False)
    address: str = "203.0.113.9"

    @property
    def is_outside(self) -> bool:
        return not self.labels


class Network:
    def __init__(self, documents: list[dict], namespace: str):
        self.policies = of_kind(documents, "NetworkPolicy")
        self.own = {"kubernetes.io/metadata.name": namespace}

    def lets(self, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
        return self._allows("egress", source, target, port, protocol) and self._allows(
            "ingress", target, source, port, protocol
        )

    def _allows(self, direction: str, subject: Peer, other: Peer, port: int, protocol: str) -> bool:
        """A pod that no policy selects may do everything."""
        policies = [] if subject.is_outside else [
            each["spec"]
            for each in self.policies
            if matches(each["spec"]["podSelector"], subject.labels) and (subject.namespace or self.own) == self.own
            and direction.capitalize() in each["spec"]["policyTypes"]
        ]
        rules = [rule for policy in policies for rule in policy.get(direction) or []]
        return not policies or any(self._rule_allows(rule, direction, other, port, protocol) for rule in rules)

    def _rule_allows(self, rule: dict, direction: str, other: Peer, port: int, protocol: str) -> bool:
        ports = rule.get("ports")
        peers = rule.get("from" if direction == "ingress" else "to")
        return (not ports or any(each["port"] == port and each["protocol"] == protocol for each in ports)) and (
            not peers or any(self._peer_is(each, other) for each in peers)
        )

    def _peer_is(self, rule: dict, other: Peer) -> bool:
        if block := rule.get("ipBlock"):
            return other.is_outside and ipaddress.ip_address(other.address) in ipaddress.ip_network(block["cidr"])
        if other.is_outside:
            return False
        namespace = other.namespace or self.own
        in_namespace = matches(rule["namespaceSelector"], namespace) if "namespaceSelector" in rule else namespace == self.own
        return in_namespace and matches(rule.get("podSelector", {}), other.labels)
