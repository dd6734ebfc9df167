"""What runs once and ends: a look at the backends, a sweep, the first admin."""

from __future__ import annotations

import concurrent.futures
import json

import psycopg

from gpudev_sdk.store import roles
from tests.contract.services.apart import Person


def owner(apart, statement, *values):
    with psycopg.connect(apart.dsn, autocommit=True) as conn:
        cursor = conn.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def test_availability_writes_down_what_there_is(apart):
    done = apart.run("availability")

    assert done.returncode == 0, done.stderr
    assert owner(apart, "SELECT name FROM gpu_type WHERE backend = 'local'") == [("cpu",)]
    assert owner(apart, "SELECT trouble FROM inventory WHERE backend = 'local'") == [(None,)]


def test_a_backend_that_cannot_be_seen_is_written_down_and_the_others_are_looked_at(apart):
    config, kubeconfig = apart.root / "dead.toml", apart.root / "dead.json"
    cluster = {"name": "dead", "cluster": {"server": "https://127.0.0.1:9"}}
    context = {"name": "dead", "context": {"cluster": "dead", "user": "dead"}}
    user = {"name": "dead", "user": {"token": "x"}}
    kubeconfig.write_text(
        json.dumps(
            {"kind": "Config", "apiVersion": "v1", "clusters": [cluster], "contexts": [context], "users": [user],
             "current-context": "dead"}
        )
    )  # fmt: skip
    dead = f'[backends.dead]\ncompute = "kube"\nstorage = "kube"\n[backends.dead.kube]\nkubeconfig = "{kubeconfig}"\n'
    settings = (
        'context = "dead"\nnamespace = "x"\nimage = "x"\ntools_image = "x"\nstorage_class = "x"\nsnapshot_class = "x"\n'
    )
    config.write_text(apart.config.read_text() + dead + settings)
    owner(apart, "DELETE FROM inventory")

    done = apart.run("availability", config=config)

    assert done.returncode == 1, done.stderr
    assert "dead cannot be seen: " in done.stdout
    seen = dict(owner(apart, "SELECT backend, trouble FROM inventory"))
    assert seen["local"] is None
    assert seen["dead"]


def test_expiry_counts_and_wakes_what_is_due(apart):
    owner(apart, "INSERT INTO app_user (id, name) VALUES (gen_random_uuid(), 'lee')")
    made = owner(
        apart,
        "INSERT INTO disk (id, owner_id, name, size_bytes, wake_at) SELECT gen_random_uuid(), id, 'due', 1,"
        " gpudev_now() - interval '1 hour' FROM app_user WHERE name = 'lee' RETURNING id",
    )[0][0]
    before = owner(apart, "SELECT updated_at, (SELECT wanted FROM planner), seconds FROM served")[0]

    done = apart.run("expiry")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 due"), done.stderr
    after = owner(apart, "SELECT updated_at, (SELECT wanted FROM planner), seconds FROM served")[0]
    assert all(then < now for then, now in zip(before, after, strict=True))
    # No more than it lived through.
    assert after[2] - before[2] < 5
    assert owner(apart, "SELECT 1 FROM pgmq.q_work WHERE message->>'id' = %s", str(made))


def test_a_sweep_waits_for_a_database_that_comes_up_as_long_as_it_was_told(apart):
    apart.embedded.stop()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting, given_up = pool.submit(apart.run, "expiry", "--wait", "60"), apart.run("expiry", "--wait", "0")
        apart.embedded.start()
        waited = waiting.result()

    assert (given_up.returncode, waited.returncode) == (1, 0), waited.stderr
    assert waited.stdout.endswith(" due\n")


def test_the_first_admin_is_made_once_and_may_be_made_again(apart):
    person = Person(apart.root, "ada")
    person.make_key()

    first, again = (apart.run("admin-user", "ada", "--key", f"{person.key}.pub") for _ in range(2))

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert first.stdout.startswith("ada is an admin; their key is SHA256:")
    rows = owner(
        apart,
        "SELECT u.is_admin, count(*) FROM app_user u JOIN user_key k ON k.user_id = u.id WHERE u.name = 'ada' GROUP BY 1",
    )
    assert rows == [(True, 1)]
    assert owner(apart, "SELECT actor FROM audit_event WHERE object = 'ada'")


def test_what_is_no_name_makes_nobody(apart):
    done = apart.run("admin-user", "Not A Name")

    assert done.returncode == 2
    assert not owner(apart, "SELECT 1 FROM app_user WHERE name = 'Not A Name'")


def test_a_key_that_cannot_be_read_makes_nobody(apart):
    done = apart.run("admin-user", "bob", "--key", apart.root / "none.pub")

    assert done.returncode == 1
    assert f"the public key {apart.root}/none.pub cannot be read" in done.stderr
    assert not owner(apart, "SELECT 1 FROM app_user WHERE name = 'bob'")


def test_a_database_of_the_configuration_and_a_password_file_are_a_way_in_too(apart):
    config = apart.root / "dsn.toml"
    plain, _, password = apart.embedded.dsn(roles.API).partition(" passfile=")
    place = plain.replace(f"user={roles.API} ", "")
    config.write_text(f'dsn = "{place}"\n' + apart.config.read_text())
    password = apart.secrets["api-dsn"].decode().partition("password=")[2].split()[0].encode()
    folder = apart.folder_of("admin-user", **{"api-dsn": None, "api-password": password})

    done = apart.run("admin-user", "cat", secrets=folder, config=config)

    assert done.returncode == 0, done.stderr
