"""What operators ask and order: explain, simulate, check, fix, forget, diff; and what they print."""

import contextlib
import json
import re
import signal
import time

import grpc
import pytest
from harness.cluster import CLUSTER
from harness.program import run, run_json
from harness.waiting import eventually
from pushring.v1 import placement_pb2, placement_pb2_grpc


def ring(cluster, *arguments, **options):
    return run("ring", *arguments, *cluster.registry, **options)


def explain(cluster, user):
    return run_json("ring", "explain", user, *cluster.registry)


def check(cluster):
    return run_json("ring", "check", *cluster.registry, codes=(0, 1))


def found(cluster, kind, **expected):
    """The findings of that kind that have these fields."""
    return matching(check(cluster), kind, expected)


def wait_clean(cluster):
    eventually("a check is clean", lambda: ring(cluster, "check").code == 0)


def sessions_key(user):
    return f"pushring:{{{CLUSTER}:u:{user}}}:sessions"


def index_key(incarnation):
    return f"pushring:{{{CLUSTER}:i:{incarnation}}}:index"


def record(cluster, user, session):
    return cluster.redis.call("HGET", sessions_key(user), session)


def incarnation(cluster, pod_id):
    return cluster.members()[pod_id]["incarnation"]


def stored(cluster, user):
    """All that is stored of a user."""
    keys = cluster.redis.keys(f"*{user}*")
    return {key: cluster.redis.call("HGETALL", key) for key in keys}


@contextlib.contextmanager
def stopped(pod):
    pod.child.send(signal.SIGSTOP)
    try:
        yield
    finally:
        pod.child.send(signal.SIGCONT)


# MARK: Faults, each planted by itself


def plant_dead_record(cluster, clients, user):
    cluster.redis.call("HSET", sessions_key(user), "ghost", "1 4711 99 pod-long-gone")
    return "record-of-dead-incarnation", {"user": user, "session": "ghost"}


def plant_record_of_the_future(cluster, clients, user):
    """Of an incarnation that was never given."""
    cluster.redis.call("HSET", sessions_key(user), "ghost", "1 4000000000000000 99 pod-to-be")
    return "record-of-dead-incarnation", {"user": user, "session": "ghost"}


def plant_record_without_session(cluster, clients, user):
    value = f"1 {incarnation(cluster, 'pod-1')} 99 pod-1"
    cluster.redis.call("HSET", sessions_key(user), "phantom", value)
    return "record-without-session", {"user": user, "session": "phantom"}


def plant_wrong_pod(cluster, clients, user):
    client = clients.open(user, cluster.endpoints, "phone")
    other = cluster.others(user)[0]
    cluster.redis.call("HSET", sessions_key(user), "phone", f"1 {incarnation(cluster, other.id)} {client.epoch + 5} {other.id}")
    return "record-at-wrong-pod", {"user": user, "session": "phone"}


def plant_dead_pod_for_a_live_session(cluster, clients, user):
    clients.open(user, cluster.endpoints, "phone")
    cluster.redis.call("HSET", sessions_key(user), "phone", "1 4711 99 pod-long-gone")
    return "record-at-wrong-pod", {"user": user, "session": "phone"}


def plant_larger_epoch(cluster, clients, user):
    client = clients.open(user, cluster.endpoints, "phone")
    value = record(cluster, user, "phone").replace(str(client.epoch), str(client.epoch + 1))
    cluster.redis.call("HSET", sessions_key(user), "phone", value)
    return "record-with-wrong-epoch", {"user": user, "session": "phone"}


def plant_smaller_epoch(cluster, clients, user):
    client = clients.open(user, cluster.endpoints, "phone")
    value = record(cluster, user, "phone").replace(str(client.epoch), "7")
    cluster.redis.call("HSET", sessions_key(user), "phone", value)
    return "record-with-wrong-epoch", {"user": user, "session": "phone"}


def plant_missing_record(cluster, clients, user):
    clients.open(user, cluster.endpoints, "phone")
    cluster.redis.call("HDEL", sessions_key(user), "phone")
    return "record-missing", {"user": user, "session": "phone"}


def plant_unknown_index(cluster, clients, user):
    cluster.redis.call("SADD", index_key(4711), f"{user}\tghost")
    return "index-leftover", {"holder": {"pod": "", "incarnation": 4711, "epoch": 0}}


def plant_index_entry(cluster, clients, user):
    cluster.redis.call("SADD", index_key(incarnation(cluster, "pod-0")), f"{user}\tghost")
    return "index-leftover", {"user": user, "session": "ghost"}


def plant_missing_index_entry(cluster, clients, user):
    client = clients.open(user, cluster.endpoints, "phone")
    cluster.redis.call("SREM", index_key(incarnation(cluster, client.pod)), f"{user}\tphone")
    return "index-entry-missing", {"user": user, "session": "phone"}


def plant_order(cluster, clients, user):
    cluster.redis.call("HSET", f"pushring:{{{CLUSTER}}}:orders", "pod:pod-unknown", " drained")
    return "order-for-unknown-pod", {"other": {"pod": "pod-unknown", "incarnation": 0, "epoch": 0}}


def tell_strays(cluster, reporter, owner, user_hash, retraction):
    """Tells the owner as if by the reporter, behind what that one has told so far.

    The owner takes the reporter's next report for a repetition then. So no two plants tell the same owner."""
    with grpc.insecure_channel(f"127.0.0.1:{owner.peer}") as channel:
        stub = placement_pb2_grpc.PlacementStub(channel)
        window = {"reporter": incarnation(cluster, reporter.id), "owner": incarnation(cluster, owner.id)}
        had = stub.Record(placement_pb2.StrayReport(**window, series=0, first_number=1))
        next_number = had.recorded_through + 1
        series = max(had.series, 1)
        entry = {"user_hashes": [user_hash], "retractions": [retraction]}
        got = stub.Record(placement_pb2.StrayReport(**window, series=series, first_number=next_number, **entry))
        assert got.recorded_through == next_number, got


def user_hash(cluster, user):
    return int(run_json("ring", "owner", user, *cluster.registry)["hash"], 16)


def plant_wrong_stray(cluster, clients, user):
    user = cluster.user_owned_by("pod-0", user)
    owner, other = cluster.owner(user), cluster.others(user)[0]
    tell_strays(cluster, other, owner, user_hash(cluster, user), retraction=False)
    return "stray-wrong", {"userHash": format(user_hash(cluster, user), "016x")}


def plant_missing_stray(cluster, clients, user):
    user = cluster.user_owned_by("pod-1", user)
    owner, other = cluster.owner(user), cluster.others(user)[0]
    clients.at(other, user, "desk")
    tell_strays(cluster, other, owner, user_hash(cluster, user), retraction=True)
    return "stray-missing", {"user": user}


def plant_doubled_session(cluster, clients, user):
    """The first pod never hears that the session is elsewhere."""
    user = cluster.user_owned_by("pod-2", user)
    owner, other = cluster.owner(user), cluster.others(user)[0]
    first = clients.at(other, user, "phone")
    with stopped(other):
        clients.at(owner, user, "phone")
        cluster.redis.call("DEL", f"pushring:{{{CLUSTER}:i:{incarnation(cluster, other.id)}}}:takeovers")
    assert first.undisturbed, first.life
    return "session-doubled", {"user": user, "session": "phone"}


FAULTS = [
    plant_dead_record, plant_record_of_the_future, plant_record_without_session, plant_wrong_pod,
    plant_dead_pod_for_a_live_session, plant_larger_epoch, plant_smaller_epoch, plant_missing_record, plant_unknown_index,
    plant_index_entry, plant_missing_index_entry, plant_order, plant_wrong_stray, plant_missing_stray, plant_doubled_session,
]  # fmt: skip


def matching(report, kind, expected):
    return [
        finding
        for finding in report["findings"]
        if finding["kind"] == kind and all(finding.get(key) == value for key, value in expected.items())
    ]


def test_check_finds_each_planted_fault_and_fix_mends_them(own_cluster, clients, user):
    cluster = own_cluster()
    assert check(cluster)["findings"] == []
    planted = {plant.__name__: plant(cluster, clients, f"{user}-{number}") for number, plant in enumerate(FAULTS)}
    before = stored(cluster, user)
    report = check(cluster)
    for name, (kind, expected) in planted.items():
        assert len(matching(report, kind, expected)) == 1, (name, kind, expected, report["findings"])
    assert len(report["findings"]) == report["count"] == len(FAULTS), report["findings"]
    assert stored(cluster, user) == before, "a check changes nothing"

    refused = ring(cluster, "fix")
    assert refused.code == 1 and "--yes" in refused.error, refused.text
    for kind, _ in planted.values():
        assert kind in refused.error
    assert stored(cluster, user) == before, "nor does a fix that nobody agreed to"

    done = ring(cluster, "fix", "--yes", "--output", "json", within=40)
    assert done.code == 0 and done.json["findings"] == [], done.text
    again = ring(cluster, "check", "--output", "json")
    assert again.code == 0 and again.json["findings"] == [], again.text
    # Whoever had a stream has it still, but the elder of the two that were one session; and is reached.
    ended = [client for client in clients.all if client.of("ended")]
    assert [client.of("ended")[0]["reason"] for client in ended] == ["taken-over"], [client.life for client in ended]
    for client in clients.all:
        if client not in ended:
            result = cluster.push(client.user, "mended")
            assert result["completeness"] == "complete", result
            client.wait_payload("mended")


def test_an_unreadable_record_is_named_and_never_deleted(own_cluster, user):
    cluster = own_cluster(pods=1)
    cluster.redis.call("HSET", sessions_key(user), "phone", "2 from-the-future")
    assert found(cluster, "record-unreadable", user=user, session="phone")
    done = ring(cluster, "fix", "--yes")
    assert done.code == 1 and "can't be mended" in done.error, done.text
    assert record(cluster, user, "phone") == "2 from-the-future"
    assert "record-unreadable" in json.dumps(explain(cluster, user)["disagreements"])


def test_no_false_alarm_while_sessions_move(own_cluster, clients, user):
    cluster = own_cluster(options={"--homing-rate": "20"})
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone", wait=False) for number in range(60)]
    for client in opened:
        client.wait_welcome()
    cluster.start_pod("pod-3")
    checks = 0
    deadline = time.monotonic() + 12
    # On a fast machine they have all gone before the time is over.
    while opened and time.monotonic() < deadline:
        clients.open(f"{user}-more-{checks}", cluster.endpoints, "phone", wait=False)
        opened.pop().stop()
        done = ring(cluster, "check", "--output", "json")
        assert done.code == 0, done.text
        checks += 1
        if checks == 4:
            assert run("pod", "drain", "pod-3", *cluster.registry, "--timeout", "20").code == 0
    assert checks > 4


def test_a_pod_that_is_killed_leaves_nothing_for_long(own_cluster, clients, user):
    cluster = own_cluster()
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone") for number in range(20)]
    cluster.kill("pod-0")
    for client in opened[:10]:
        client.stop()
    wait_clean(cluster)


# MARK: Explain


def test_explain_tells_of_owner_and_stray_and_of_the_push(cluster, clients, user):
    owner, other = cluster.owner(user), cluster.others(user)[0]
    clients.at(owner, user, "phone")
    told = explain(cluster, user)
    assert told["place"]["owner"]["id"] == owner.id and owner.id in told["reason"]
    hash = told["place"]["hash"]
    before = [each["token"] for each in told["neighbours"] if not each["isAfter"]]
    after = [each for each in told["neighbours"] if each["isAfter"]]
    assert after[0]["pod"] == owner.id
    # Around the top of the circle the order is another one.
    if before == sorted(before) and before[-1] < hash:
        assert hash <= after[0]["token"] or after[0]["token"] < before[0]
    assert [(row["session"], row["pod"], row["place"]) for row in told["records"]] == [("phone", owner.id, "owner")]
    assert [(row["session"], row["pod"]) for row in told["held"]] == [("phone", owner.id)]
    assert (told["push"]["rpcs"], told["push"]["registryReads"], told["push"]["route"]) == (1, 0, "ring")
    assert told["disagreements"] == [] and told["silent"] == []

    clients.at(other, user, "desk")
    told = explain(cluster, user)
    assert [stray["pod"] for stray in told["knowledge"][0]["strays"]] == [other.id]
    assert not told["knowledge"][0]["vouches"]
    # As a real push does.
    result = cluster.push(user, "hello")
    assert (told["push"]["rpcs"], told["push"]["registryReads"]) == (result["deliverRPCs"], result["registryReads"]), result
    assert told["push"]["route"] == result["route"] and told["push"]["isComplete"]
    assert len(told["push"]["steps"]) == 3


def test_explain_tells_of_a_disagreement(cluster, clients, user):
    clients.open(user, cluster.endpoints, "phone")
    cluster.redis.call("HDEL", sessions_key(user), "phone")
    told = explain(cluster, user)
    assert [each["kind"] for each in told["disagreements"]] == ["record-missing"]
    text = ring(cluster, "explain", user)
    assert text.code == 0 and "record-missing" in text.out
    assert ring(cluster, "fix", "--yes", within=40).code == 0
    assert explain(cluster, user)["disagreements"] == []


def test_explain_of_nobody_and_of_a_wrong_name(cluster):
    assert explain(cluster, "nobody-ever")["held"] == []
    assert ring(cluster, "explain", "a\tb").code == 64
    assert run("ring", "explain", "x", "--redis", cluster.redis.url, "--cluster", "no-such").code == 2


# MARK: Silent pods


def test_a_stopped_pod_is_named_and_nothing_hangs(own_cluster, clients, user):
    cluster = own_cluster(options={"--grace": "60s"})
    pod = cluster.owner(user)
    clients.at(pod, user, "phone")
    with stopped(pod):
        for command in (["explain", user], ["check"], ["simulate", "--add", "pod-9"]):
            began = time.monotonic()
            done = ring(cluster, *command, "--output", "json")
            took = time.monotonic() - began
            assert [silence["pod"] for silence in done.json["silent"]] == [pod.id], done.text
            assert done.code == 0 and took < 8, (command, took, done.text)
            text = ring(cluster, *command)
            assert f"no answer from {pod.id}" in text.out
        began = time.monotonic()
        plan = run("rebalance", "plan", *cluster.registry, "--output", "json")
        assert plan.json["silent"] == [pod.id] and time.monotonic() - began < 6, plan.text
        assert check(cluster)["unjudged"] == 1
    eventually("it is heard again", lambda: check(cluster)["silent"] == [])


# MARK: Simulate


def held_by_pod(cluster, opened):
    return {pod: len([client for client in opened if client.pod == pod]) for pod in cluster.pods}


def test_simulate_foretells_what_a_join_and_a_weight_then_do(own_cluster, clients, user):
    cluster = own_cluster(pods=2, options={"--homing-rate": "100"})
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone", wait=False) for number in range(80)]
    for client in opened:
        client.wait_welcome()

    def at_home():
        eventually("nothing is astray", lambda: run("rebalance", "plan", *cluster.registry).code == 1)

    def settles_as(told):
        expected = {pod["id"]: pod["sessionsAfter"] for pod in told["pods"]}
        eventually(f"sessions are as foretold: {expected}", lambda: held_by_pod(cluster, opened) == expected)
        # Clients are where they belong a moment before the pods that they left have let go of them.
        at_home()
        shares = {id: round(member["share"], 9) for id, member in cluster.members().items()}
        assert shares == {pod["id"]: round(pod["shareAfter"], 9) for pod in told["pods"]}

    before = held_by_pod(cluster, opened)
    at_home()
    told = run_json("ring", "simulate", "--add", "pod-2=2", *cluster.registry)
    assert {pod["id"]: pod["sessions"] for pod in told["pods"]} == {**before, "pod-2": 0}
    assert {flow["to"] for flow in told["flows"]} == {"pod-2"}
    assert told["reconnects"] == sum(flow["sessions"] for flow in told["flows"]) == told["pods"][2]["sessionsAfter"]
    assert abs(told["movedShare"] - 0.5) < 0.15
    welcomes = sum(len(client.of("welcome")) for client in opened)
    cluster.start_pod("pod-2", weight="2")
    settles_as(told)
    assert sum(len(client.of("welcome")) for client in opened) - welcomes == told["reconnects"]

    told = run_json("ring", "simulate", "--weight", "pod-0=3", *cluster.registry)
    assert run("pod", "weight", "pod-0", "3", *cluster.registry).code == 0
    settles_as(told)

    told = run_json("ring", "simulate", "--remove", "pod-1", *cluster.registry)
    assert {flow["from"] for flow in told["flows"]} == {"pod-1"}
    assert told["pods"][1]["weightAfter"] == 0 and told["pods"][1]["sessionsAfter"] == 0
    assert run("pod", "drain", "pod-1", *cluster.registry, "--timeout", "20").code == 0
    settles_as(told)
    # And brought back.
    told = run_json("ring", "simulate", "--add", "pod-1", *cluster.registry)
    assert told["pods"][1]["weightAfter"] == 1
    assert run("pod", "uncordon", "pod-1", *cluster.registry).code == 0
    settles_as(told)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ([], 64, "say what would change"),
        (["--add", "pod-0"], 2, "in the ring already"),
        (["--remove", "pod-7"], 2, "not in the ring"),
        (["--weight", "pod-0"], 64, "needs a weight"),
        (["--weight", "pod-0=0"], 64, "1 to 100"),
        (["--remove", "pod-0=2"], 64, "1 to 100"),
        (["--add", "a b"], 64, "pod id"),
        (["--remove", "pod-0", "--remove", "pod-1", "--remove", "pod-2"], 2, "nobody would be left"),
    ],
)
def test_simulate_refuses_what_can_not_be(cluster, change, code, words):
    done = ring(cluster, "simulate", *change)
    assert done.code == code and words in done.error, done.text


# MARK: Forget


def test_forget_ends_the_grace_of_a_dead_pod_and_of_no_living_one(own_cluster, clients, user):
    cluster = own_cluster(pods=2, options={"--grace": "120s"})
    alive = ring(cluster, "forget", "pod-0")
    assert alive.code == 1 and "looks alive" in alive.error, alive.text
    assert ring(cluster, "forget", "pod-9").code == 2
    pod = cluster.pods["pod-1"]
    # Not by SIGKILL: then its address would refuse connections, and the others prove it gone by themselves.
    with stopped(pod):
        eventually("it is in grace", lambda: cluster.members()["pod-1"]["state"] == "grace")
        asked = ring(cluster, "forget", "pod-1")
        assert asked.code == 1 and "--yes" in asked.error and "pod-1" in cluster.members(), asked.text
        done = ring(cluster, "forget", "pod-1", "--yes")
        assert done.code == 0, done.text
        eventually("it is no member", lambda: "pod-1" not in cluster.members())
        cluster.wait_settled()
    # It was not dead: it closes its streams, and comes back as another process would.
    eventually("it joined anew", lambda: "pod-1" in cluster.active())


def test_forget_of_a_living_pod_warns_and_obeys(own_cluster):
    cluster = own_cluster(pods=2)
    before = incarnation(cluster, "pod-1")
    done = ring(cluster, "forget", "pod-1", "--yes")
    assert done.code == 0 and "warning" in done.error and "looks alive" in done.error, done.text
    eventually("it joined anew", lambda: cluster.members().get("pod-1", {}).get("incarnation", 0) > before)


# MARK: Inspect and diff


def test_inspect_shows_limits_orders_and_a_rebalance(own_cluster, clients, user):
    cluster = own_cluster(pods=2, options={"--max-sessions": "4"})
    mine = cluster.user_owned_by("pod-0", user)
    for number in range(2):
        clients.at(cluster.pods["pod-0"], mine, f"s{number}")
    eventually("the load is known", lambda: cluster.members()["pod-0"]["sessions"] == 2)
    member = cluster.members()["pod-0"]
    assert (member["limit"], member["fullness"], member.get("order")) == (4, 0.5, None)
    assert run("pod", "cordon", "pod-1", *cluster.registry).code == 0
    assert run("pod", "weight", "pod-1", "3", *cluster.registry).code == 0
    assert run("rebalance", "homing", "off", *cluster.registry).code == 0
    eventually("it is out of the ring", lambda: cluster.members()["pod-1"]["state"] == "cordoned")
    view = cluster.inspect()
    order = cluster.members()["pod-1"]["order"]
    assert (order["state"], order["weight"], order["summary"]) == ("cordoned", 3, "cordoned, weight 3")
    assert view["homing"] is False
    text = ring(cluster, "inspect").out
    assert "cordoned, weight 3" in text and "homing is off" in text and "50.0 %" in text
    assert "\x1b" not in text
    picture = ring(cluster, "inspect", "--output", "svg").out
    assert picture.startswith("<svg") and "cordoned" in picture


def test_diff_tells_what_changed(own_cluster, tmp_path):
    cluster = own_cluster(pods=2)
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(cluster.inspect()))
    assert ring(cluster, "diff", before).code == 0
    cluster.start_pod("pod-2")
    cluster.wait_settled()
    after.write_text(json.dumps(cluster.inspect()))
    done = ring(cluster, "diff", before, "--output", "json")
    assert done.code == 1, done.text
    assert [(member["id"], member["changes"]) for member in done.json["members"]] == [("pod-2", ["joined"])]
    assert {move["to"] for move in done.json["movement"]} == {"pod-2"}
    share = cluster.members()["pod-2"]["share"]
    assert abs(done.json["movedShare"] - share) < 1e-9
    assert run("ring", "diff", before, after, "--output", "json").json == done.json
    assert "joined" in ring(cluster, "diff", before).out
    before.write_text("{}")
    assert ring(cluster, "diff", before).code == 2


# MARK: One way of writing output


def test_data_goes_to_stdout_alone(cluster, clients, user):
    for command in (["inspect"], ["explain", user], ["check"], ["simulate", "--add", "pod-9"], ["owner", user]):
        done = ring(cluster, *command, "--output", "json")
        assert done.code == 0 and done.json, done.text
        assert done.error == "", done.error
        assert "\x1b" not in ring(cluster, *command, "--no-color", environment={"TERM": "xterm"}).text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_know_the_commands(shell):
    done = run("--generate-completion-script", shell)
    assert done.code == 0
    for word in ("explain", "simulate", "forget", "rebalance"):
        assert word in done.out
