"""The test cluster: `with Machine() as machine:` gives a real Kubernetes of one node, and takes it away afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import pathlib
import sys
import time
import types
from collections.abc import Iterator

import attrs

from tests.cluster.machine import authority, network, packages, policies_enforcer, programs, remains
from tests.cluster.machine.api import Api
from tests.cluster.machine.commands import ORDER
from tests.cluster.machine.disks import Disks
from tests.cluster.machine.fake_nodes import FakeNodes, pretend_gpus
from tests.cluster.machine.layout import Layout
from tests.cluster.machine.processes import DidNotStart, Processes
from tests.cluster.machine.sharing import State, myself, read
from tests.cluster.machine.starting import PATIENCE, Starting

#: How long a process may take to end by itself. The API server always takes longer: it hangs up on everybody who asks
#: something new at once, and then waits a minute for those who watch.
STOP_PATIENCE = 3.0
#: They end when they lose the driver. In a pod they would be started again together.
SIDECARS = ("provisioner", "snapshotter")
#: The process that enforces network policies, where somebody wants that.
POLICIES = "policies"
#: A cluster that a person left up is brought up anew well before its certificates end.
OLDEST = authority.GOOD_FOR.total_seconds() / 2


@attrs.define
class Machine:
    """A Kubernetes on this machine.

    There is at most one, which several processes may use at a time: the last takes it down. One that a person brought up
    (`python -m tests.cluster.machine up`) is left up; what a killed run left is cleared away first.
    """

    layout: Layout = attrs.field(factory=Layout)
    #: Stays up when nobody uses it.
    detached: bool = False
    _api: Api | None = attrs.field(default=None, init=False)

    @property
    def kubeconfig(self) -> pathlib.Path:
        """Return the file with which one may do everything."""
        return self.layout.kubeconfig

    @property
    def registry(self) -> str:
        """Return what names of images in the cluster's registry begin with."""
        return self.layout.registry

    @property
    def kubectl(self) -> pathlib.Path:
        """Return a kubectl of the cluster's version."""
        return self._programs / "kubectl"

    @property
    def api(self) -> Api:
        """Return a caller of the API server who may do everything."""
        if self._api is None:
            self._api = Api(self.layout)
        return self._api

    @property
    def disks(self) -> Disks:
        """Return what makes disks and snapshots fail."""
        return Disks(self.layout.data("disks"))

    @property
    def processes(self) -> Processes:
        """Return what runs of the cluster."""
        return Processes(self.layout)

    def __enter__(self) -> Machine:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ):
        self.leave()

    def up(self) -> None:
        """Bring the cluster up unless it is; when this returns, a pod with a disk can run."""
        packages.require_root()
        with self._alone():
            state = self._find_state()
            if state is None:
                state = self._bring_up()
            elif not state.living():
                self._mend()
            self._write_state(state.joined(None if self.detached else myself()))

    def leave(self) -> None:
        """Have no more to do with the cluster; the last who leaves takes it down, unless a person left it up."""
        self._forget_api()
        with self._alone():
            state = self._find_state()
            if state is not None:
                state = state.left(myself())
                self._write_state(state)
                if not state.detached and not state.living():
                    self._take_down()

    def down(self) -> None:
        """Take everything away, whoever uses it. What is down already stays so."""
        self._forget_api()
        with self._alone():
            self._take_down()

    def leftovers(self) -> list[str]:
        """Return what of a cluster is on this machine; nothing after `down`."""
        return remains.leftovers(self.layout)

    def restart_api_server(self) -> None:
        """Stop the API server and start it again; return when it is ready."""
        self.processes.stop(["api"], STOP_PATIENCE)
        self.start("api")

    def stop_kubelet(self) -> None:
        """Stop the kubelet; containers go on. After some 12 s the node is NotReady."""
        self.processes.stop(["kubelet"], STOP_PATIENCE)

    def start_kubelet(self) -> None:
        """Start the kubelet again; return when the node is Ready."""
        self.start("kubelet")

    def kill(self, name: str) -> None:
        """Kill one process, of those that `commands.ORDER` names."""
        self.processes.kill(name)

    def start(self, name: str) -> None:
        """Start a process that was stopped or killed, and wait until all is ready again."""
        starting = self._starting(self._programs)
        also = SIDECARS if name == "disks" else ()
        self.processes.stop([*also], STOP_PATIENCE)
        starting.start(name, *also)
        self.processes.wait("api", self.api.ready, PATIENCE)
        starting.wait(self.api)

    def fake_nodes(self) -> FakeNodes:
        """Return fake nodes, none as yet; use it as a context, at the end of which they are gone."""
        return FakeNodes(self.layout)

    def pretend_gpus(self, node: str, count: int) -> None:
        """Let a node say that it has GPUs; the real one's kubelet leaves that as it is."""
        pretend_gpus(self.api, node, count)

    def enforce_policies(self) -> None:
        """Enforce network policies from now on, for as long as the cluster is up; return when it is so."""
        root = pathlib.Path(__file__).parents[3]
        command = [sys.executable, "-m", policies_enforcer.__name__]
        self.processes.start(POLICIES, command, {"PYTHONPATH": str(root)})
        self.processes.wait(POLICIES, policies_enforcer.enforces, PATIENCE)

    def check_policies(self) -> None:
        """Raise when network policies are not enforced any more: what was tried since then proves nothing."""
        if not self.processes.pid(POLICIES):
            raise DidNotStart(f"{POLICIES} has ended:\n{self.processes.tail(POLICIES)}")

    def _bring_up(self) -> State:
        binaries = programs.ensure()
        packages.ensure(lambda what: print(what, file=sys.stderr))
        remains.clear(self.layout)
        network.refuse_another_node()
        with contextlib.ExitStack() as undo:
            undo.callback(remains.clear, self.layout)
            starting = self._starting(binaries)
            starting.prepare()
            with contextlib.closing(starting.start_api()) as api:
                starting.start_node(api)
            undo.pop_all()
        return State(programs=str(binaries), up_since=time.time())

    def _mend(self) -> None:
        """Start what was stopped or has ended, of a cluster that nobody else uses at this moment."""
        running = self.processes.names()
        for name in ORDER:
            if name not in running:
                self.start(name)

    def _take_down(self) -> None:
        # The API server and etcd last, so that the others end without minding that they are gone.
        others = [name for name in reversed(ORDER) if name not in ("api", "etcd")]
        self.processes.stop(others, STOP_PATIENCE)
        self.processes.stop(["api"], STOP_PATIENCE)
        self.processes.stop(["etcd"], STOP_PATIENCE)
        remains.clear(self.layout)

    def _starting(self, binaries: pathlib.Path) -> Starting:
        return Starting(self.layout, binaries, self.processes)

    def _forget_api(self) -> None:
        if self._api is not None:
            self._api.close()
            self._api = None

    @property
    def _programs(self) -> pathlib.Path:
        return pathlib.Path(read(self._state).programs)

    @property
    def _state(self) -> pathlib.Path:
        return self.layout.folder / "up.json"

    def _write_state(self, state: State) -> None:
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(attrs.asdict(state)))
        part.rename(self._state)

    def _find_state(self) -> State | None:
        """Return how the cluster is used; None where there is none, or none that can be used or is anybody's."""
        if not self._state.exists():
            return None
        state = read(self._state)
        if state.living():
            return state
        # After the machine was started anew the file may still be there.
        runs = {"etcd", "containerd"} <= set(self.processes.names())
        return state if state.detached and runs and time.time() - state.up_since < OLDEST else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other processes that bring the cluster up or down."""
        self.layout.cache.mkdir(parents=True, exist_ok=True)
        with (self.layout.cache / "machine.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
