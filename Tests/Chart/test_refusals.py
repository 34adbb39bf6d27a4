"""What is refused before anything is installed, and what the user is told."""

import pytest
from chart import helm

NO_REDIS = {"redis__bundled__enabled": "false"}
EXTERNAL = {**NO_REDIS, "redis__external__existingSecret": '{"name": "registry"}'}
ONE_ADDRESS = {"exposure__single__address": '"push.example.com:443"'}

# name: (values, words of the message that say what is wrong, words that say what to do)
COMBINATIONS = {
    "no Redis": (NO_REDIS, "there is no Redis", "set redis.external.url"),
    "two of them": (
        {"redis__external__url": '"redis://elsewhere"'}, "redis.external is set and redis.bundled.enabled is true",
        "Set redis.bundled.enabled to false",
    ),
    "URL and Secret": (
        {**EXTERNAL, "redis__external__url": '"redis://elsewhere"'}, "are both set", "leave one of them empty"
    ),
    "a CA without TLS": (
        {**NO_REDIS, "redis__external__url": '"redis://elsewhere"', "redis__external__ca__secretName": '"ca"'},
        "which is not encrypted", "make it rediss://",
    ),
    "two CAs": (
        {**EXTERNAL, "redis__external__ca": '{"secretName": "a", "configMapName": "b", "key": "ca.crt"}'},
        "redis.external.ca.secretName and redis.external.ca.configMapName", "leave one of them empty",
    ),
    "eviction": (
        {"redis__bundled__maxMemoryPolicy": '"allkeys-lru"'}, "Redis would throw records of live sessions away",
        "Make it noeviction",
    ),
    "more memory than there is": (
        {"redis__bundled__maxMemory": '"1gb"'}, "redis.bundled.maxMemory (1gb) is not below redis.bundled.resources.limits.memory (256Mi)",
        "Lower it to about three quarters, or raise the limit",
    ),
    "killed in the drain": (
        {"sessionManager__terminationGracePeriodSeconds": "59"},
        "is 59, and a drain may take 60 s (preStopSleepSeconds 5, config.drainDeadline 40s, and 15)", "Raise it",
    ),
    "killed in a long drain": (
        {"sessionManager__terminationGracePeriodSeconds": "120", "sessionManager__config__drainDeadline": '"1.75m"'},
        "a drain may take 125 s", "or leave it out",
    ),
    "a Sender killed in a push": (
        {"sender__terminationGracePeriodSeconds": "24"}, "pushes under way may take 25 s", "Raise it"
    ),
    "a variable that a value sets": (
        {"sessionManager__extraEnv": '[{"name": "TZ", "value": "UTC"}, {"name": "PUSHRING_DRAIN_DEADLINE", "value": "5m"}]'},
        "sessionManager.extraEnv has PUSHRING_DRAIN_DEADLINE", "set sessionManager.config.drainDeadline instead",
    ),
    "a variable that others refer to": (
        {"sender__extraEnv": '[{"name": "REDIS_PASSWORD", "value": "x"}]'}, "sender.extraEnv has REDIS_PASSWORD", "set redis.bundled.auth instead"
    ),
    "a label that selectors go by": (
        {"sessionManager__podLabels": '{"app.kubernetes.io/component": "edge"}'},
        "sessionManager.podLabels has app.kubernetes.io/component", "leave it out",
    ),
    "a label of everything that selectors go by": (
        {"commonLabels": '{"app.kubernetes.io/instance": "mine"}'}, "commonLabels has app.kubernetes.io/instance", "leave it out"
    ),
    "the cluster as a label": ({"redis__bundled__podLabels": '{"pushring/cluster": "a"}'}, "redis.bundled.podLabels has pushring/cluster", "leave it out"),
    "an annotation that replaces pods": (
        {"sender__podAnnotations": '{"checksum/redis-url": "1"}'}, "sender.podAnnotations has checksum/redis-url", "leave it out"
    ),
    "an annotation that replaces Redis": (
        {"redis__bundled__podAnnotations": '{"checksum/redis-password": "1"}'}, "redis.bundled.podAnnotations has checksum/redis-password", "leave it out"
    ),
    "everything a hook": ({"commonAnnotations": '{"helm.sh/hook": "test"}'}, "commonAnnotations has helm.sh/hook", "leave it out"),
    "a test of another release": (
        {"tests__podLabels": '{"app.kubernetes.io/instance": "mine"}'}, "tests.podLabels has app.kubernetes.io/instance", "leave it out"
    ),
    "a test that is none": ({"tests__podAnnotations": '{"helm.sh/hook": "pre-install"}'}, "tests.podAnnotations has helm.sh/hook", "leave it out"),
    "alerts all as bad": (
        {"metrics__prometheusRule__alertLabels": '{"severity": "page"}'}, "metrics.prometheusRule.alertLabels has severity", "leave it out"
    ),
    "a name that is none": ({"fullnameOverride": '"9a"'}, "'9a' is no name for a Service", "Set fullnameOverride"),
    "ports without an address": (
        {"sender__service__headless": "true", "sender__service__port": "9000"}, "a Service changes no ports", "Make it 7410"
    ),
    "a lease that is nearly long enough": (
        {"cluster__lease": '"299.5ms"', "cluster__renewalInterval": '"100ms"'}, "cluster.lease is 299.5ms", "takes from 300ms to 5m"
    ),
    "moves that take longer than a drain": (
        {"sessionManager__autoscaling__enabled": "true", "sessionManager__autoscaling__sessionsPerPod": "50000"},
        "take 63 s to move when a pod is drained, and config.drainDeadline is 40s", "Raise the deadline",
    ),
    "all evicted while there are few": (
        {"sessionManager__autoscaling__enabled": "true", "sessionManager__podDisruptionBudget__maxUnavailable": "3"},
        "maxUnavailable is 3 of 3", "Make it 1",
    ),
    "Senders counted by what they do not request": (
        {"sender__autoscaling__enabled": "true", "sender__resources__requests": "null"}, "sender.resources.requests.cpu is not set", "Set it",
    ),
    "a container beside Senders that requests nothing": (
        {"sender__autoscaling__enabled": "true", "sender__extraContainers": '[{"name": "beside", "image": "a"}]'},
        "the container beside of sender.extraContainers requests no cpu", "Set its resources.requests.cpu",
    ),
    "ranges for no balancer": (
        {"sessionManager__service__loadBalancerSourceRanges": '["10.0.0.0/8"]'}, "no balancer that would go by it", "leave the ranges out",
    ),
    "ranges for no pod's balancer": (
        {"exposure__perPod__loadBalancerSourceRanges": '["10.0.0.0/8"]'}, "no balancer that would go by it", "leave the ranges out",
    ),
    "an exposure before without a domain": (
        {"exposure__previous": '"perPod"'}, "exposure.previous is perPod and exposure.perPod.domain is empty", "set the domain",
    ),
    "alerts behind a policy": (
        {"metrics__prometheusRule__enabled": "true"}, "Prometheus could not reach the pods", "Say where it runs",
    ),
    "late renewals": (
        {"cluster__renewalInterval": '"1501ms"'}, "is more than half of cluster.lease (3s)", "Renew more often"
    ),
    "keep-alive as long as the grace": (
        {"sessionManager__config__keepaliveInterval": '"1m"'}, "is not shorter than cluster.grace (60s)", "Shorten it"
    ),
    "no eviction at all": (
        {"sessionManager__podDisruptionBudget__maxUnavailable": "0"}, "could never be drained", "Make it 1"
    ),
    "eviction of all": (
        {"sessionManager__podDisruptionBudget__maxUnavailable": "3"}, "nowhere for sessions to move", "Make it 1"
    ),
    "eviction of 100 %": (
        {"sessionManager__podDisruptionBudget__maxUnavailable": '"100%"'}, "nowhere for sessions to move", "Make it 1"
    ),
    "eviction of all, by rounding": (
        {"sessionManager__podDisruptionBudget__maxUnavailable": '"67%"'}, "is 67% of 3: all could be drained at once", "Make it 1"
    ),
    "no eviction of Senders": (
        {"sender__podDisruptionBudget__maxUnavailable": '"0%"'}, "sender.podDisruptionBudget.maxUnavailable is 0%", "Make it 1, or"
    ),
    "eviction of all Senders": (
        {"sender__podDisruptionBudget__maxUnavailable": "2"}, "is 2 of 2: all could be drained at once, and nobody could push", "Make it 1"
    ),
    "pods without a domain": (
        {"exposure__mode": '"perPod"'}, "exposure.perPod.domain is empty", "set the domain"
    ),
    "a gateway without a domain": (
        {"exposure__mode": '"gateway"'}, "exposure.gateway.domain is empty", "set the domain"
    ),
    "a gateway without a Gateway": (
        {"exposure__mode": '"gateway"'}, "exposure.gateway.parentRefs is empty", "name the Gateway"
    ),
    "an address that is not used": (
        {**ONE_ADDRESS, "exposure__mode": '"perPod"', "exposure__perPod__domain": '"push.example.com"'},
        "exposure.single.address is set and exposure.mode is perPod", "leave the address empty",
    ),
    "homing to a balancer": (
        {**ONE_ADDRESS, "sessionManager__config__homingRate": "10"}, "would end up anywhere", "Make it 0"
    ),
    "metrics behind a policy": (
        {"metrics__podMonitor__enabled": "true"}, "Prometheus could not reach the pods", "Say where it runs"
    ),
    "autoscaling behind a policy": (
        {"sessionManager__autoscaling__enabled": "true"}, "nobody could read how many sessions pods have", "Say where that runs which reads it"
    ),
    "fewer than the least": (
        {"sender__autoscaling": '{"enabled": true, "minReplicas": 5, "maxReplicas": 4}'},
        "sender.autoscaling.minReplicas (5) is above maxReplicas (4)", "raise the second",
    ),
    "full before there are more": (
        {"sessionManager__autoscaling__enabled": "true", "sessionManager__config__maxSessions": "25000"},
        "pods would be full before there are more of them", "Lower it",
    ),
}


@pytest.mark.parametrize("major", helm.MAJORS)
@pytest.mark.parametrize("name", COMBINATIONS)
def test_refuses(name, major):
    settings, wrong, remedy = COMBINATIONS[name]
    told = " ".join(helm.refusal(major, **settings).split())
    assert "These values do not go together" in told
    assert wrong in told and remedy in told, told


def test_all_that_is_wrong_is_told_at_once():
    told = helm.refusal(**NO_REDIS, cluster__renewalInterval='"2s"')
    assert "there is no Redis" in told and "half of cluster.lease" in told


@pytest.mark.parametrize(
    "settings, of_pods, of_senders",
    [
        ({"networkPolicy__metrics": '[{"podSelector": {}}]'}, True, True),
        ({"networkPolicy__enabled": "false"}, True, True),
        ({"networkPolicy__extraIngress": '[{"from": [{"podSelector": {}}]}]'}, True, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": "admin"}]}]'}, True, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"protocol": "TCP"}]}]'}, True, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 7402}]}, {"ports": [{"port": 7412}]}]'}, True, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 7400, "endPort": 7402}]}]'}, True, False),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 7000, "endPort": 8000}]}]'}, True, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 7402}]}]'}, True, False),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 7412}]}]'}, False, True),
        ({"networkPolicy__extraIngress": '[{"ports": [{"port": 9999}, {"port": "clients"}]}]'}, False, False),
    ],
)
def test_metrics_may_be_admitted_by_rules_of_the_user_s(settings, of_pods, of_senders):
    for needing, words, fits in (
        ({"sessionManager__autoscaling__enabled": "true"}, "nobody could read how many sessions", of_pods),
        ({"metrics__podMonitor__enabled": "true"}, "Prometheus could not reach the pods", of_pods and of_senders),
    ):
        if fits:
            helm.template(**settings, **needing)
        else:
            assert words in helm.refusal(**settings, **needing)
    # Senders are counted by their CPU, which the kubelet knows.
    helm.template(**settings, sender__autoscaling__enabled="true")


# Values that the schema does not take: what Helm says has to name the value.
MALFORMED = {
    "a misspelt key": ({"sessionManager__replica": "3"}, "replica"),
    "a misspelt key at the top": ({"sesionManager": "{}"}, "sesionManager"),
    "a misspelt setting": ({"sessionManager__config__drainDeadlin": '"3s"'}, "drainDeadlin"),
    "a number for a duration": ({"cluster__lease": "3"}, "lease"),
    "a duration without a unit": ({"cluster__lease": '"3"'}, "lease"),
    "an unknown exposure": ({"exposure__mode": '"ingress"'}, "mode"),
    "a cluster name that is no label": ({"cluster__name": '"Our Cluster"'}, "name"),
    "an address without a port": ({"exposure__single__address": '"push.example.com"'}, "address"),
    "a fraction of Prometheus' seconds": ({"metrics__podMonitor__interval": '"1.5s"'}, "interval"),
    "no URL of Redis": ({"redis__external__url": '"http://elsewhere"'}, "url"),
    "a space in Redis' URL": ({"redis__external__url": '"redis://elsewhere:6379 "'}, "url"),
    "port 0 of Redis": ({"redis__external__url": '"redis://elsewhere:0"'}, "url"),
    "a database that is none": ({"redis__external__url": '"redis://elsewhere/abc"'}, "url"),
    "a password that is not encoded": ({"redis__external__url": '"redis://:a/b@elsewhere"'}, "url"),
    "a digest that is none": ({"image__digest": '"latest"'}, "digest"),
    "text for a number": ({"sessionManager__replicas": '"3"'}, "replicas"),
    "more than all pods": ({"sessionManager__podDisruptionBudget__maxUnavailable": '"101%"'}, "maxUnavailable"),
    "more than all Senders": ({"sender__podDisruptionBudget__maxUnavailable": '"150%"'}, "maxUnavailable"),
    "fewer than none": ({"sender__podDisruptionBudget__maxUnavailable": "-1"}, "maxUnavailable"),
    "a misspelt alert": ({"metrics__prometheusRule__disabled": '["PushRingStray"]'}, "PushRingStray"),
    "a name that is no label": ({"nameOverride": '"push: ring"'}, "nameOverride"),
    "a name that is no name in DNS": ({"fullnameOverride": '"push.ring"'}, "fullnameOverride"),
    "more weight than there is": ({"sessionManager__config__weight": "101"}, "weight"),
}


@pytest.mark.parametrize("major", helm.MAJORS)
@pytest.mark.parametrize("name", MALFORMED)
def test_the_schema_refuses(name, major):
    settings, key = MALFORMED[name]
    told = helm.refusal(major, **settings)
    assert "values don't meet the specifications of the schema" in told and key in told, told


@pytest.mark.parametrize("major", helm.MAJORS)
def test_null_for_a_value_without_a_default_elsewhere_is_refused_by_its_name(major):
    """Not by an error in a template, nor rendered as nothing."""
    required = [name for name, _, may_be_null in helm.values() if not may_be_null]
    assert {"cluster__name", "sessionManager__replicas", "sessionManager__startupProbe", "networkPolicy__dnsPorts"} <= set(required)
    innermost = [name for name in required if not any(other.startswith(f"{name}__") for other in required)]
    told = helm.refusal(major, **{name: "null" for name in innermost})
    assert "values don't meet the specifications of the schema" in told
    for name in innermost:
        assert name.split("__")[-1] in told, name


def test_a_drain_that_is_given_its_time_is_not_refused():
    helm.template(sessionManager__terminationGracePeriodSeconds="60")
    helm.template(sender__terminationGracePeriodSeconds="25")


@pytest.mark.parametrize(
    "memory, limit, fits",
    [
        ('"268434kb"', '"256Mi"', False), ('"268m"', '"256Mi"', True), ('"269m"', '"256Mi"', False), ("268435456", '"256Mi"', False),
        ("268435455", "268435456", True), ('"1gb"', '"1G"', False), ('"1g"', '"1.5G"', True), ('"1gb"', '"1Gi"', False), ("0", '"256Mi"', True),
        ('"900gb"', '"1Ti"', True), ('"4gb"', "null", True),
    ],
)
def test_memory_of_redis_is_compared_in_bytes(memory, limit, fits):
    settings = {"redis__bundled__maxMemory": memory, "redis__bundled__resources__limits__memory": limit}
    if fits:
        helm.template(**settings)
    else:
        assert "is not below" in helm.refusal(**settings)


def test_budgets_that_leave_some_are_not_refused():
    for allowed in ("2", '"34%"', '"66%"'):
        helm.template(sessionManager__podDisruptionBudget__maxUnavailable=allowed)
    # Of one, the drain of its node needs it to go.
    helm.template(sender__replicas="1", sender__podDisruptionBudget__maxUnavailable='"100%"')


def test_global_values_of_a_parent_chart_are_not_refused():
    helm.template(**{"global": '{"imageRegistry": "registry.example.com"}'})
