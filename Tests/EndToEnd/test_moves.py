"""Live sessions change pods: none is without a stream, and nothing that was pushed meanwhile is missing."""

import json
import signal
import subprocess
import time

import pytest
from harness.load import Load, check_nothing_is_missing, never_without_a_stream
from harness.program import program, run, run_json
from harness.waiting import always, eventually

HOMING = {"--homing-rate": "50"}


def open_users(cluster, clients, user, count):
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone", wait=False) for number in range(count)]
    for client in opened:
        client.wait_welcome()
    return opened


def strays(cluster, opened):
    return [client for client in opened if cluster.owner(client.user).id != client.pod]


def rebalance(cluster, *arguments, **options):
    return run("rebalance", *arguments, *cluster.registry, **options)


def plan(cluster, *arguments):
    done = rebalance(cluster, "plan", "--output", "json", *arguments)
    assert done.code in (0, 1), done.text
    return done.json


def wait_counted(cluster, sessions):
    """Pods count their sessions with each renewal."""
    eventually("all are counted", lambda: sum(m["sessions"] for m in cluster.members().values()) == sessions)


def test_a_scale_out_settles_by_itself(own_cluster, clients, user):
    cluster = own_cluster(options=HOMING)
    cluster.sender.child.stop()
    # No claim is compared with the registry, so that reads are counted exactly.
    cluster.sender = cluster.start_sender("exact", audit_interval="0")
    opened = open_users(cluster, clients, user, 60)
    load = Load(clients, cluster.sender.address, [client.user for client in opened], rate=50)
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    eventually("all strays are home", lambda: not strays(cluster, opened))
    moving = [client for client in opened if client.pod == "pod-3"]
    assert moving
    for client in moving:
        assert [event["reason"] for event in client.of("reconnect")] == ["REASON_REBALANCE"], client.life
    pushes = load.stop()
    check_nothing_is_missing(pushes, opened)
    assert all(never_without_a_stream(client) for client in opened), [c.life for c in opened if c.of("ended")]
    for client in opened:
        assert client in moving or client.undisturbed, client.life
    # Back to one RPC and no read.
    before = cluster.costs()
    for client in opened:
        result = cluster.push(client.user, "quiet")
        assert (result["route"], result["completeness"]) == ("ring", "complete"), result
    after = cluster.costs()
    assert after["rpcs"] - before["rpcs"] == len(opened)
    assert after["reads"] == before["reads"]


def test_homing_can_be_switched_off_and_on(own_cluster, clients, user):
    cluster = own_cluster(pods=2, options=HOMING)
    mine = cluster.user_owned_by("pod-0", user)
    off = rebalance(cluster, "homing", "off", "--output", "json")
    assert (off.code, off.json["homing"]) == (0, False), off.text
    # Each pod reads orders after a renewal.
    time_of_a_few_renewals = 2.0
    always("pods take the order", lambda: True, during=time_of_a_few_renewals)
    stray = clients.at(cluster.pods["pod-1"], mine, "phone")
    always("it stays", lambda: stray.undisturbed, during=2.0)
    assert rebalance(cluster, "homing", "on").code == 0
    stray.wait_welcome(2)
    assert stray.pod == "pod-0"
    assert never_without_a_stream(stray), stray.life


def test_a_plan_says_what_apply_then_does_and_a_second_one_finds_nothing(own_cluster, clients, user, tmp_path):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 60)
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    moving = strays(cluster, opened)
    saved = tmp_path / "plan.json"
    shown = plan(cluster, "--save", str(saved))
    assert sum(flow["planned"] for flow in shown["flows"]) == len(moving)
    assert {flow["to"] for flow in shown["flows"]} == {"pod-3"}
    assert all(cause["cause"] == "ring-changed" for flow in shown["flows"] for cause in flow["causes"]), shown
    assert json.loads(saved.read_text()) == shown
    done = rebalance(cluster, "apply", str(saved), "--output", "json", within=60)
    assert done.code == 0, done.text
    assert (done.json["moved"], done.json["left"], done.json["failed"]) == (len(moving), 0, 0), done.text
    assert not strays(cluster, opened)
    held = {pod: len([client for client in opened if client.pod == pod]) for pod in cluster.pods}
    assert {pod["id"]: pod["after"] for pod in shown["pods"]} == held
    assert all(never_without_a_stream(client) for client in opened)
    assert rebalance(cluster, "plan").code == 1
    assert rebalance(cluster, "apply").code == 1
    again = rebalance(cluster, "apply", str(saved), "--output", "json")
    assert (again.code, again.json["state"]) == (1, "none") and "nothing to do" in again.error, again.text
    status = run_json("rebalance", "status", *cluster.registry)
    assert (status["state"], status["moved"]) == ("done", len(moving))


def test_a_saved_plan_is_refused_when_the_view_has_changed(own_cluster, clients, user, tmp_path):
    cluster = own_cluster(pods=2)
    opened = open_users(cluster, clients, user, 20)
    cluster.start_pod("pod-2")
    cluster.wait_settled()
    saved = tmp_path / "plan.json"
    plan(cluster, "--save", str(saved))
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    done = rebalance(cluster, "apply", str(saved))
    assert done.code == 2 and "the view has changed" in done.error and "plan again" in done.error, done.text
    assert all(client.undisturbed for client in opened)


def test_a_saved_plan_is_moved_at_the_rate_given_and_a_changed_one_refused(own_cluster, clients, user, tmp_path):
    cluster = own_cluster(pods=2)
    opened = open_users(cluster, clients, user, 40)
    cluster.start_pod("pod-2")
    cluster.wait_settled()
    saved = tmp_path / "plan.json"
    shown = plan(cluster, "--rate", "1000", "--save", str(saved))
    moving = len(strays(cluster, opened))
    assert moving > 4
    flow = shown["flows"][0]
    for change in (
        {"parameters": {**shown["parameters"], "rate": 1e300}},
        {"parameters": {**shown["parameters"], "rate": -10}},
        {"flows": [{**flow, "planned": -26}]},
        {"flows": [{**flow, "planned": 999_999_999}]},
        {"pods": [{**pod, "incarnation": 5} for pod in shown["pods"]]},
    ):
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps({**shown, **change}))
        done = rebalance(cluster, "apply", str(changed))
        assert done.code == 2 and "was changed" in done.error, (change, done.text)
    assert rebalance(cluster, "apply", str(saved), "--max-moves", "5").code == 64
    assert rebalance(cluster, "apply", "--attach", "--rate", "5").code == 64
    assert rebalance(cluster, "status").code == 1, "one of these began a rebalance"
    began = time.monotonic()
    done = rebalance(cluster, "apply", str(saved), "--rate", "4", "--output", "json", within=60)
    assert (done.code, done.json["moved"]) == (0, moving), done.text
    # Each source may begin with one at once.
    assert time.monotonic() - began > (moving - 2 * len(shown["flows"])) / 4


@pytest.mark.parametrize("file", ["missing", "not-a-plan"])
def test_apply_refuses_a_file_that_is_no_plan(cluster, tmp_path, file):
    path = tmp_path / "plan.json"
    if file == "not-a-plan":
        path.write_text('{"cluster": 1}')
    done = rebalance(cluster, "apply", str(path))
    assert done.code == 2 and str(path) in done.error, done.text


def test_apply_killed_with_sigkill_goes_on_and_can_be_followed_again(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 80)
    load = Load(clients, cluster.sender.address, [client.user for client in opened], rate=50)
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    moving = strays(cluster, opened)
    apply = subprocess.Popen(
        [program(), "rebalance", "apply", *cluster.registry, "--rate", "5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        eventually("some have moved", lambda: any(client.of("reconnect") for client in moving))
    finally:
        apply.send_signal(signal.SIGKILL)
        apply.communicate(timeout=10)
    busy = rebalance(cluster, "apply")
    assert busy.code == 2 and "--attach" in busy.error, busy.text
    followed = rebalance(cluster, "apply", "--attach", "--output", "json", within=60)
    assert followed.code == 0, followed.text
    assert followed.json["moved"] == len(moving)
    check_nothing_is_missing(load.stop(), opened)
    assert not strays(cluster, opened)
    assert all(never_without_a_stream(client) for client in opened)


def test_ctrl_c_stops_it_and_another_apply_goes_on(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 80)
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    moving = strays(cluster, opened)
    apply = subprocess.Popen(
        [program(), "rebalance", "apply", *cluster.registry, "--rate", "3", "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually("some have moved", lambda: any(client.of("reconnect") for client in moving))
        apply.send_signal(signal.SIGINT)
        out, error = apply.communicate(timeout=30)
    finally:
        apply.kill()
    assert apply.returncode == 2, error
    stopped = json.loads(out)
    assert stopped["state"] == "stopped" and 0 < stopped["moved"] < len(moving), stopped
    assert len(strays(cluster, opened)) == len(moving) - stopped["moved"]
    assert rebalance(cluster, "stop").code == 1
    assert rebalance(cluster, "apply", within=60).code == 0
    assert not strays(cluster, opened)


def test_a_target_killed_in_the_middle_loses_nothing(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 80)
    load = Load(clients, cluster.sender.address, [client.user for client in opened], rate=60)
    cluster.start_pod("pod-3")
    cluster.wait_settled()
    moving = strays(cluster, opened)
    apply = subprocess.Popen(
        [program(), "rebalance", "apply", *cluster.registry, "--rate", "10", "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually("some have moved", lambda: sum(len(client.of("welcome")) > 1 for client in moving) > 2)
        cluster.kill("pod-3")
        apply.communicate(timeout=60)
    finally:
        apply.kill()
    eventually("it is written off", lambda: "pod-3" not in cluster.members())
    cluster.wait_settled()
    eventually("everybody is at home again", lambda: not strays(cluster, opened))
    pushes = load.stop()
    # What was on the dead pod came back by itself; a push that reported success hid nobody.
    for client in opened:
        if client not in moving:
            assert client.undisturbed, client.life
    for push in pushes:
        if push.is_success and push.outcomes:
            client = next(client for client in opened if client.user == push.user)
            eventually(f"{push} arrived; {client.life}", lambda: push.payload in client.payloads, within=10)
    for client in opened:
        eventually("it is recorded where it is", lambda: [r["pod"] for r in cluster.records(client.user)] == [client.pod])
        assert cluster.push(client.user, "afterwards", "--strategy", "directory")["results"], client.life
        client.wait_payload("afterwards")


def test_a_client_that_never_reacts_stays_where_it_is(own_cluster, raw, user):
    cluster = own_cluster(pods=2, options={"--move-deadline": "500ms"})
    mine = cluster.user_owned_by("pod-0", user)
    stream = raw(cluster.pods["pod-1"].address).hello(mine, "phone", capabilities={"moves": True})
    stream.welcome()
    done = rebalance(cluster, "apply", "--move-deadline", "1", "--output", "json", within=60)
    assert done.code == 2, done.text
    assert (done.json["moved"], done.json["failed"]) == (0, 1), done.text
    frame = stream.read()
    assert frame.reconnect.endpoint.pod_id == "pod-0" and frame.reconnect.ticket, frame
    assert cluster.push(mine, "still here")["results"][0]["outcome"] == "delivered"
    assert stream.read().message.payload == b"still here"


def test_a_client_that_says_it_cannot_move_is_ended_only_by_force(own_cluster, raw, user):
    cluster = own_cluster(pods=2, options=HOMING)
    mine = cluster.user_owned_by("pod-0", user)
    stream = raw(cluster.pods["pod-1"].address).hello(mine, "phone")
    stream.welcome()
    shown = plan(cluster)
    assert [(s["reason"], s["sessions"]) for f in shown["flows"] for s in f["staying"]] == [("client-cannot-move", 1)]
    assert rebalance(cluster, "apply").code == 1
    assert cluster.push(mine, "still here")["results"][0]["outcome"] == "delivered"
    assert stream.read().message.payload == b"still here"
    assert rebalance(cluster, "apply", "--force", within=60).code == 0
    status = stream.status()
    assert status.trailers["pushring-reason"] == "rebalanced"
    assert status.trailers["pushring-endpoints"].split(",")[0] == cluster.pods["pod-0"].address


def test_a_full_pod_takes_no_moves_and_nobody_is_sent_to_and_fro(own_cluster, clients, user):
    cluster = own_cluster(pods=1, options=HOMING)
    full = cluster.start_pod("full", max_sessions="3")
    cluster.wait_settled()
    owned = [cluster.user_owned_by("full", f"{user}-{number}") for number in range(3)]
    for owner in owned:
        clients.at(full, owner, "phone")
    late = [clients.at(cluster.pods["pod-0"], owner, "tablet") for owner in owned]
    wait_counted(cluster, 6)
    always("they stay", lambda: all(client.undisturbed for client in late), during=3.0)
    shown = plan(cluster)
    staying = [(s["reason"], s["sessions"]) for f in shown["flows"] for s in f["staying"]]
    assert staying == [("owner-full", 3)], shown
    assert rebalance(cluster, "apply").code == 1


def test_sigterm_under_load_moves_everybody_and_ends_with_zero(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 80)
    load = Load(clients, cluster.sender.address, [client.user for client in opened], rate=50)
    leaving = cluster.pods.pop("pod-2")
    hit = [client for client in opened if client.pod == "pod-2"]
    began = time.monotonic()
    leaving.child.send(signal.SIGTERM)
    assert leaving.child.exit_code(within=30) == 0
    assert time.monotonic() - began < 10
    cluster.wait_settled()
    for client in hit:
        assert client.pod in cluster.pods, client.life
    check_nothing_is_missing(load.stop(), opened)
    assert all(never_without_a_stream(client) for client in opened), [c.life for c in opened if c.of("ended")]
    assert not strays(cluster, opened)
    for client in opened:
        assert client in hit or client.undisturbed, client.life


def test_a_second_sigterm_ends_it_at_once_and_tells_clients_where_to_go(own_cluster, raw, user):
    cluster = own_cluster(pods=2, options={"--drain-deadline": "60s"})
    pod, other = cluster.pods["pod-0"], cluster.pods["pod-1"]
    stream = raw(pod.address).hello(user, "phone")
    stream.welcome()
    pod.child.send(signal.SIGTERM)
    eventually("it drains", lambda: cluster.members()["pod-0"]["state"] == "draining")
    began = time.monotonic()
    pod.child.send(signal.SIGTERM)
    status = stream.status()
    assert status.trailers["pushring-reason"] == "leaving"
    assert other.address in status.trailers["pushring-endpoints"].split(",")
    assert pod.child.exit_code() == 0
    assert time.monotonic() - began < 5


def test_the_last_pod_of_a_cluster_does_not_wait_for_anybody(own_cluster, raw, user):
    cluster = own_cluster(pods=1, options={"--drain-deadline": "60s"})
    stream = raw(cluster.pods["pod-0"].address).hello(user, "phone")
    stream.welcome()
    began = time.monotonic()
    cluster.pods["pod-0"].child.send(signal.SIGTERM)
    assert stream.status().trailers["pushring-reason"] == "leaving"
    assert cluster.pods["pod-0"].child.exit_code() == 0
    assert time.monotonic() - began < 8


def test_cordon_drain_uncordon_and_weight(own_cluster, clients, user):
    cluster = own_cluster(options=HOMING)
    opened = open_users(cluster, clients, user, 60)

    def pod(*arguments):
        return run("pod", *arguments, *cluster.registry, within=60)

    hit = [client for client in opened if client.pod == "pod-1"]
    assert pod("cordon", "pod-1").code == 0
    eventually("it is out of the ring", lambda: cluster.members()["pod-1"]["state"] == "cordoned")
    cluster.wait_settled()
    always("its sessions stay", lambda: all(client.undisturbed for client in hit), during=1.5)
    assert pod("drain", "pod-1").code == 0
    for client in hit:
        client.wait_welcome(2)
        assert client.pod != "pod-1" and never_without_a_stream(client), client.life
    assert pod("uncordon", "pod-1").code == 0
    assert pod("uncordon", "nobody").code == 1
    before = cluster.members()["pod-0"]["share"]
    assert pod("weight", "pod-0", "3").code == 0
    eventually("its part grows", lambda: cluster.members()["pod-0"]["share"] > before * 1.5)
    assert pod("weight", "pod-0", "own").code == 0
    eventually("its part is as before", lambda: cluster.members()["pod-0"]["weight"] == 1)
    eventually("all strays are home", lambda: not strays(cluster, opened))
    assert all(never_without_a_stream(client) for client in opened if client not in hit)


def test_an_order_outlives_the_pod_s_process(own_cluster):
    cluster = own_cluster(pods=2)
    assert run("pod", "cordon", "pod-1", *cluster.registry).code == 0
    ordered = run("pod", "weight", "pod-1", "5", *cluster.registry, "--output", "json")
    assert (ordered.code, ordered.json["state"], ordered.json["weight"]) == (0, "cordoned", 5), ordered.text
    killed = cluster.kill("pod-1")
    cluster.restart(killed)
    member = eventually("it is a member again", lambda: cluster.members().get("pod-1"))
    eventually(
        "it is as ordered",
        lambda: [(m["state"], m["weight"]) for m in cluster.inspect()["members"] if m["id"] == "pod-1"]
        == [("cordoned", 5)],
    )
    assert run("pod", "weight", "pod-1", "own", *cluster.registry).code == 0
    assert run("pod", "uncordon", "pod-1", *cluster.registry).code == 0
    eventually("it is active", lambda: (cluster.members()["pod-1"]["state"], cluster.members()["pod-1"]["weight"]) == ("active", 1))
    assert member
