"""Tables in a file that is its author's: put at the end and cut out again, and nothing else moves."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudev_services.backends import toml

NOTE = "Written by hand of a test"
MINE = """# What I think of it.
name = "lab"   # ours

[limits]
max_hours = 24.0

# The first.
[backends.local]
compute = "local"
storage = "local"

[backends.local.local]
paths = [
    "/data", # big
]

# The people.
[logins.ssh]
provider = "ssh"
"""
#: Headers that are none, inside texts.
TWISTED = (
    '[backends.lab]\ncompute = "kube"\ntext = """\n[backends.lab.more]\n"""\n[other]\nx = """\n[backends.lab]\n"""\n'
)
TABLE = {"compute": "kube", "storage": "kube", "kube": {"share": 0.5, "types": {"h.100": {"resource": "x/y"}}}}


def test_a_table_is_put_at_the_end_and_cut_out_again_to_the_letter():
    made = toml.append(MINE, ("backends", "lab"), TABLE, NOTE)

    assert made.startswith(MINE)
    assert tomllib.loads(made)["backends"]["lab"] == TABLE
    assert toml.cut(made, ("backends", "lab"), NOTE).text == MINE


def test_an_empty_file_gets_the_table_alone_and_is_empty_again():
    made = toml.append("", ("backends", "lab"), TABLE, NOTE)

    assert made.splitlines()[:2] == [f"# {NOTE}", "[backends.lab]"]
    assert toml.cut(made, ("backends", "lab"), NOTE).text == ""


def test_what_somebody_wrote_by_hand_is_cut_out_with_its_tables_and_without_their_neighbours_comments():
    cut = toml.cut(MINE, ("backends", "local"), NOTE)

    assert cut.text == (
        '# What I think of it.\nname = "lab"   # ours\n\n[limits]\nmax_hours = 24.0\n\n'
        '# The first.\n\n# The people.\n[logins.ssh]\nprovider = "ssh"\n'
    )
    assert (cut.lines[0], cut.lines[-1]) == (8, 15)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('backends = {lab = {compute = "kube"}}\n', "line 1"),
        ('[backends]\nlab.compute = "kube"\n', "line 2"),
        ('[backends]\nlab = {compute = "kube"}\n[backends.lab2]\n', "line 2"),
        (TWISTED, "lines 1 to 9"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_out_alone_says_where_it_is(text, where):
    with pytest.raises(toml.NotPlain, match=where):
        toml.cut(text, ("backends", "lab"), NOTE)


@pytest.mark.parametrize("text", ['backends = {lab = {compute = "kube"}}\n', "[[backends]]\n", "backends = 3\n"])
def test_nothing_is_put_behind_what_would_not_take_it(text):
    with pytest.raises(toml.NotPlain):
        toml.append(text, ("backends", "more"), TABLE, NOTE)


def test_a_header_inside_a_text_is_no_header():
    text = 'note = """\n[backends.lab]\ncompute = 1\n"""\n'
    made = toml.append(text, ("backends", "lab"), {"compute": "kube"}, NOTE)
    with pytest.raises(toml.NotPlain, match="lines"):
        toml.cut(made, ("backends", "lab"), NOTE)


PLAIN = st.one_of(st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.booleans(),
                  st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text(max_size=5), max_size=3))  # fmt: skip
TABLES = st.recursive(
    st.dictionaries(st.text(min_size=1, max_size=8), PLAIN, max_size=3),
    lambda inner: st.dictionaries(st.text(min_size=1, max_size=8), st.one_of(PLAIN, inner), max_size=3),
    max_leaves=4,
)


@given(table=TABLES, name=st.text(min_size=1, max_size=8))
def test_whatever_is_written_is_read_back_and_cut_out(table, name):
    table = {"compute": "x", **table}
    made = toml.append(MINE, ("backends", f"new-{name}"), table, NOTE)

    assert tomllib.loads(made)["backends"][f"new-{name}"] == table
    assert toml.cut(made, ("backends", f"new-{name}"), NOTE).text == MINE
