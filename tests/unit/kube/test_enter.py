"""The login shell of a box: what a session gets of the image's environment, and which shell it is given."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).parents[3] / "images" / "tools" / "enter.c"
#: What sshd gives a session.
FROM_SSHD = {
    "HOME": "/home/dev",
    "USER": "dev",
    "LOGNAME": "dev",
    "SHELL": "/opt/gpudev/bin/enter",
    "PATH": "/usr/bin:/bin",
    "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 2222",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("enter")


@pytest.fixture(scope="module")
def program(folder):
    """Compile it with the environment file and the tools at places of our own."""
    built = folder / "enter"
    named = [f'-DENVIRONMENT_FILE="{folder}/environment"', f'-DTOOLS="{folder}/tools"']
    done = subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *named, SOURCE, "-o", built],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return built


@pytest.fixture
def enter(program, folder):
    """Start it as sshd does; `given` is the environment file, as a dict or as bytes."""

    def run(*words, given=None, name="enter", env=FROM_SSHD, text=None):
        kept = folder / "environment"
        kept.unlink(missing_ok=True)
        if isinstance(given, dict):
            given = b"".join(f"{key}={value}\0".encode() for key, value in given.items())
        if given is not None:
            kept.write_bytes(given)
        return subprocess.run(
            [name, *words], executable=program, env=env, input=text, capture_output=True, text=True, check=False
        )

    return run


def value(enter, name, **how):
    """Return what a variable is in the session, exactly."""
    done = enter("-c", f'printf "%s" "${{{name}-unset}}"', **how)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "said", ["hello world", " a  b ", "one\ntwo\n", 'it\'s "$HOME" `id` \\ *', "a=b=c", "", "häuser 🚀", "x" * 100_000]
)
def test_a_value_arrives_as_it_was_written(enter, said):
    assert value(enter, "GREETING", given={"BEFORE": "1", "GREETING": said, "AFTER": "2"}) == said


def test_what_the_session_has_is_not_overwritten(enter):
    assert value(enter, "LANG", given={"LANG": "C"}, env=FROM_SSHD | {"LANG": "de_DE.UTF-8"}) == "de_DE.UTF-8"


@pytest.mark.parametrize("name", ["HOME", "USER", "LOGNAME", "SSH_CONNECTION"])
def test_what_sshd_says_of_the_person_holds(enter, name):
    assert value(enter, name, given={name: "of the image"}) == FROM_SSHD[name]


@pytest.mark.parametrize("name", ["SSH_AUTH_SOCK", "SSH_TTY", "TERM", "TZ", "MAIL"])
def test_what_only_sshd_may_say_is_not_taken_from_the_image(enter, name):
    assert "of the image" not in value(enter, name, given={name: "of the image"})


def test_the_path_is_the_images_with_the_tools_behind(enter, folder):
    given = {"PATH": "/opt/conda/bin:/usr/bin:/bin"}

    assert value(enter, "PATH", given=given) == f"/opt/conda/bin:/usr/bin:/bin:{folder}/tools"


def test_the_tools_are_behind_a_path_only_once(enter, folder):
    given = {"PATH": f"/usr/bin:{folder}/tools"}

    assert value(enter, "PATH", given=given) == given["PATH"]


@pytest.mark.parametrize("given", [{}, {"PATH": ""}])
def test_without_a_path_of_the_image_the_servers_is_kept(enter, folder, given):
    assert value(enter, "PATH", given=given) == f"/usr/bin:/bin:{folder}/tools"


def test_a_command_runs_and_its_exit_status_is_the_sessions(enter):
    done = enter("-c", "echo out; echo err >&2; exit 37", given={})

    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 37)


def test_a_command_that_is_killed_ends_by_that_signal(enter):
    assert enter("-c", "kill -TERM $$", given={}).returncode == -15


def test_a_command_reads_its_input(enter):
    assert enter("-c", "cat", given={}, text="a\nb").stdout == "a\nb"


@pytest.mark.parametrize(("name", "login"), [("-enter", "on"), ("enter", "off")])
def test_a_login_is_a_login_of_the_real_shell(enter, name, login):
    done = enter("-c", "shopt login_shell; echo $0", given={"GPUDEV_SHELL": "/bin/bash"}, name=name)

    assert done.stdout.split() == ["login_shell", login, "-bash" if login == "on" else "bash"]


def test_without_words_the_shell_reads_what_is_typed(enter):
    done = enter(given={"GREETING": "hello world"}, name="-enter", text='echo "$GREETING"; exit 5\n')

    assert (done.stdout, done.returncode) == ("hello world\n", 5)


def test_the_shell_is_the_one_that_was_named(enter, folder):
    shell = folder / "fish"
    shell.write_text('#!/bin/sh\necho "fish $SHELL $*"\n')
    shell.chmod(0o755)

    assert enter("-c", "ls", given={"GPUDEV_SHELL": str(shell)}).stdout == f"fish {shell} -c ls\n"


@pytest.mark.parametrize("named", ["/bin/none", "/etc/passwd", "fish"])
def test_a_named_shell_that_does_not_start_is_told_and_another_one_does(enter, named):
    done = enter("-c", "echo in", given={"GPUDEV_SHELL": named})

    assert (done.stdout, done.returncode) == ("in\n", 0)
    assert f"gpudev: {named}: " in done.stderr


def test_the_session_knows_its_real_shell(enter):
    assert value(enter, "SHELL", given={"GPUDEV_SHELL": "/bin/sh"}) == "/bin/sh"


def test_without_a_file_the_shell_starts_and_says_so(enter, folder):
    done = enter("-c", "echo in; exit 3")

    assert (done.stdout, done.returncode) == ("in\n", 3)
    assert done.stderr == f"gpudev: {folder}/environment: No such file or directory\n"


@pytest.mark.parametrize("spoilt", [b"\0", b"=x\0", b"NAMELESS\0", b"OTHER=cut", b"\xff\xfe\0"])
def test_what_is_spoilt_is_told_and_the_rest_is_used(enter, folder, spoilt):
    done = enter("-c", 'echo "$GREETING $OTHER"', given=b"GREETING=hello\0" + spoilt)

    assert done.stdout == "hello \n"
    assert done.stderr.startswith(f"gpudev: {folder}/environment: not all of it is NAME=VALUE")


def test_an_environment_too_big_to_start_with_is_left_out(enter):
    done = enter("-c", 'echo "in ${A1-without}"', given={f"A{number}": "x" * 100_000 for number in range(100)})

    assert (done.stdout, done.returncode) == ("in without\n", 0)
    assert "too big to start a shell with" in done.stderr
