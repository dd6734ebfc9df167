"""The API's laws: strict in, foreign looks absent, problems with a next step."""

from __future__ import annotations

import json
import threading
import uuid

from gpudev_sdk.engine.inventory import Inventory

GOOD = {"gpu_type": "h100", "gpus": 1, "duration_seconds": 7200}


def reserve(client, **asked):
    return client.post("/v1/reservations", json=GOOD | asked, headers={"Idempotency-Key": str(uuid.uuid4())})


def test_the_owner_of_the_socket_needs_no_token(api):
    assert api.client().get("/v1/me").json()["user"] == "kim"


def test_nothing_else_is_an_identity(api):
    answer = api.client("wide").get("/v1/me", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_token_says_who_asks(api, lee):
    answer = api.client("wide", user=lee).get("/v1/me")
    assert answer.json()["user"] == "lee"
    assert answer.json()["is_admin"] is False


def test_a_token_never_carries_admin(api, bench, kim):
    assert api.client("wide", user=kim).get("/v1/admin/users").status_code == 403
    assert api.client().get("/v1/admin/users").status_code == 200


def test_a_token_that_is_none_is_refused(api):
    for token in ("gpd_", "gpd_x", "gpd_" + "A" * 43 + "00000000", "x" * 5000):
        assert api.client("wide", token=token).get("/v1/me").status_code in (400, 401, 431)


def test_a_revoked_token_is_refused(api, lee):
    client = api.client("wide", user=lee)
    assert client.delete("/v1/me/tokens/current").status_code == 204
    assert client.get("/v1/me").status_code == 401


def test_an_expired_token_is_refused(api, lee, owner_store):
    client = api.client("wide", user=lee)
    with owner_store.transaction() as conn:
        conn.execute("UPDATE api_token SET expires_at = gpudev_now() - interval '1 s'")
    assert client.get("/v1/me").status_code == 401


def test_tokens_of_before_an_adoption_are_void(api, bench, lee):
    client = api.client("wide", user=lee)
    bench.sql("UPDATE install SET era = era + 1")
    assert client.get("/v1/me").status_code == 401


def test_a_disabled_person_is_shut_out_at_once(api, lee):
    client = api.client("wide", user=lee)
    api.client().patch("/v1/admin/users/lee", json={"disabled": True})
    assert client.get("/v1/me").status_code == 403


def test_tokens_are_stored_hashed(api, lee, owner_store):
    client = api.client("wide", user=lee)
    token = client.headers["authorization"].removeprefix("Bearer ")
    with owner_store.transaction() as conn:
        assert token not in str(conn.execute("SELECT * FROM api_token").fetchall())


def test_a_request_is_answered_with_the_reservation(api):
    answer = reserve(api.client())
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"


def test_the_same_key_again_is_the_same_answer(api):
    client = api.client()
    answers = [
        client.post("/v1/reservations", json=GOOD, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(2)
    ]
    assert answers[0] == answers[1]


BAD = [
    {"gpus": "1"},
    {"gpus": True},
    {"gpus": 1.5},
    {"gpus": -1},
    {"gpus": 2**63},
    {"nodes": 0},
    {"nodes": "2"},
    {"nodes": 1025},
    {"gpus": 8, "nodes": 2},
    {"duration_seconds": 0},
    {"duration_seconds": 10**12},
    {"duration_seconds": "7200"},
    {"disk": "work\n"},
    {"disk": "../etc"},
    {"disk": "wоrk"},
    {"disk": "a" * 300},
    {"name": "none"},
    {"image": "bad image\n"},
    {"priority": 5, "gpus": 10**9},
    {"surprise": 1},
    {"env": {"LD_PRELOAD": "x"}},
    {"env": {"A": "a\u0000b"}},
]


def test_bad_input_is_refused_and_changes_nothing(api, bench):
    client = api.client()
    answers = [(change, reserve(client, **change)) for change in BAD]
    assert [change for change, answer in answers if answer.status_code != 422 or not answer.json()["request_id"]] == []
    assert bench.sql("SELECT * FROM reservation") == []


NOT_OURS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"gpus": NaN}',
    b'{"gpu_type": "h100", "gpu_type": "cpu"}',
    b"[" * 5000,
    b'{"gpu_type": "\xff"}',
    b'{"gpu_type": "\\ud800", "gpus": 1, "duration_seconds": 7200}',
    json.dumps(GOOD | {"image": "x" * 300_000}).encode(),
]


def test_what_is_not_json_of_ours_is_refused(api):
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    client = api.client()
    answers = [client.post("/v1/reservations", content=body, headers=headers) for body in NOT_OURS]
    assert [answer.status_code for answer in answers if not 400 <= answer.status_code < 500] == []
    assert not any("Traceback" in answer.text for answer in answers)


def test_brackets_in_a_text_are_no_depth(api):
    assert reserve(api.client(), env={"PATTERN": "[" * 60}).status_code == 202


def test_anothers_reservation_looks_absent(api, lee):
    made, theirs = reserve(api.client()).json()["id"], api.client("wide", user=lee)
    for rest in ("", "/history", "/events"):
        foreign, absent = (theirs.get(f"/v1/reservations/{ref}{rest}") for ref in (made, str(uuid.uuid4())))
        assert foreign.status_code == absent.status_code == 404
        assert foreign.json()["title"] == absent.json()["title"]


def test_anothers_reservation_cannot_be_ended_or_extended(api, lee, bench):
    made = reserve(api.client()).json()["id"]
    theirs = api.client("wide", user=lee)
    assert theirs.delete(f"/v1/reservations/{made}").status_code == 404
    assert theirs.post(f"/v1/reservations/{made}/extend", json={"seconds": 600}).status_code == 404
    assert bench.row(uuid.UUID(made)).cancel_requested_at is None


def test_who_holds_what_is_shown_and_nothing_more(api, lee, bench):
    made = reserve(api.client(), disk="secret-project", name="secret-box").json()["id"]
    bench.work(uuid.UUID(made))
    seen = api.client("wide", user=lee).get("/v1/availability").text
    assert '"owner":"kim"' in seen
    assert "secret" not in seen


def test_pages_are_whole_and_do_not_overlap(api):
    client = api.client()
    made = [reserve(client, gpus=8).json()["id"] for _ in range(5)]
    first = client.get("/v1/reservations?limit=3").json()
    second = client.get(f"/v1/reservations?limit=3&after={first['next']}").json()
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next"] is None


def test_a_page_asked_for_badly_is_refused(api):
    client = api.client()
    for query in ("limit=0", "limit=201", "limit=x", "after=x", "after=-1", "state=maybe"):
        assert client.get(f"/v1/reservations?{query}").status_code in (400, 422), query


def test_a_dry_run_says_when_and_what_instead(api, bench):
    reserve(api.client(), gpus=6)
    bench.plan()
    answer = api.client().post("/v1/dry-run", json=GOOD | {"gpus": 4}).json()
    assert answer["starts_at"] is not None
    assert [offer["gpus"] for offer in answer["instead"]] == [2]
    assert len(bench.sql("SELECT * FROM reservation")) == 1


def test_the_stream_sends_every_change_and_ends_with_the_reservation(api, bench):
    made = uuid.UUID(reserve(api.client()).json()["id"])
    states = []

    def read():
        with api.client().stream("GET", f"/v1/reservations/{made}/events") as answer:
            states.extend(
                json.loads(line.removeprefix("data: "))["state"]
                for line in answer.iter_lines()
                if line.startswith("data: ")
            )

    reader = threading.Thread(target=read)
    reader.start()
    bench.work(made)
    api.desk.hub.ring(_ring(made))
    api.client().delete(f"/v1/reservations/{made}")
    bench.work(made)
    for _ in range(100):
        api.desk.hub.ring(_ring(made))
        reader.join(0.1)
        if not reader.is_alive():
            break
    assert states[-1] == "ended"


def _ring(made):
    from gpudev_sdk.store.bell import Ring

    return Ring("reservation", made)


def test_openapi_is_served_and_shows_the_limits(api):
    schema = api.client().get("/v1/openapi/openapi.json").json()
    assert schema["openapi"] == "3.1.0"
    body = schema["components"]["schemas"]["ReserveBody"]
    assert body["properties"]["gpus"]["maximum"] == 4096


def test_every_answer_names_the_version(api):
    assert api.client().get("/v1/healthz").headers["gpudev-version"]


def test_several_nodes_are_asked_for_and_shown(api, bench):
    bench.memory.boxes = 3
    Inventory(bench.engine).take()
    client = api.client()

    made = reserve(client, gpus=8, nodes=2).json()
    bench.work(uuid.UUID(made["id"]))
    seen = client.get(f"/v1/reservations/{made['id']}").json()

    assert made["nodes"] == 2
    assert (seen["nodes"], seen["node"], seen["node_names"]) == (2, "box", ["box", "box-2"])
    told = client.post("/v1/dry-run", json=GOOD | {"gpus": 8, "nodes": 3}).json()
    assert [(offer["nodes"], offer["gpus"]) for offer in told["instead"]] == [(1, 8)]
    types = {kind["name"]: kind["gang"] for kind in client.get("/v1/gpu-types").json()["items"]}
    assert types == {"cpu": False, "h100": True}
