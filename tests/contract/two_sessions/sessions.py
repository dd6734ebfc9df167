"""Sessions of the database that run our real code one statement at a time, in an order that the test decides.

A session is a thread. Its store stops it before every statement and every commit until the test lets it go on, and the test
sees when PostgreSQL makes it wait for another session's lock. So each order that matters is tried, one after the other.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import threading
import time

import attrs
import psycopg

from gpudev_sdk.errors import GpudevError
from gpudev_sdk.store.pool import Store

COMMIT = "COMMIT"
#: A place in a session that it never reaches: let it run to its end.
END = 10**6
#: Seconds until a session that does not arrive is looked at, and until the test gives up on it.
GLANCE, GIVE_UP = 0.004, 20.0


class Session(threading.Thread):
    """One caller of ours: runs `work`, standing before each of its statements until it may go on."""

    def __init__(self, work, ahead=dt.timedelta()):
        super().__init__(daemon=True)
        self.work, self.ahead = work, ahead
        self.statements, self.allowed = [], 0
        self.pid, self.over, self.outcome = None, False, None
        self.turn = threading.Condition()

    def run(self):
        """Do the work; what it raised of ours is its outcome too."""
        try:
            self.outcome = self.work()
        except (GpudevError, psycopg.Error) as error:
            self.outcome = type(error).__name__
        finally:
            with self.turn:
                self.over = True
                self.turn.notify_all()

    def stand(self, conn, statement):
        """Wait to be let go on; called by the session itself."""
        with self.turn:
            self.pid = conn.info.backend_pid
            self.statements.append(statement)
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.allowed >= len(self.statements))

    @property
    def stands(self):
        """Whether it waits for the test, and for nothing else."""
        return self.over or len(self.statements) > self.allowed

    def allow(self, allowed):
        """Let it go on until so many statements are done."""
        with self.turn:
            self.allowed = allowed
            self.turn.notify_all()


class StoppingStore(Store):
    """A store in which sessions stop, and everybody sees the time that the test says."""

    #: How far the time of everybody is ahead now.
    ahead = staticmethod(dt.timedelta)

    @contextlib.contextmanager
    def transaction(self, step=None):
        """Give a connection that stops a session before each of its statements."""
        with super().transaction(step) as conn:
            conn.cursor_factory = functools.partial(_Cursor, self)
            yield conn
            self.stand(conn, COMMIT)

    def stand(self, conn, query):
        """Let a session wait for its turn, and tell the time of it."""
        session = threading.current_thread()
        if isinstance(session, Session):
            text = (
                query.decode() if isinstance(query, bytes) else query if isinstance(query, str) else query.as_string()
            )
            session.stand(conn, " ".join(text.split())[:90])
        ahead = self.ahead() + getattr(session, "ahead", dt.timedelta())
        if ahead:
            now = (dt.datetime.now(dt.UTC) + ahead).isoformat()
            psycopg.Cursor(conn).execute("SELECT set_config('gpudev.now', %s, true)", (now,))


class _Cursor(psycopg.Cursor):
    """Stops before each statement; made by psycopg, for a store of ours."""

    def __init__(self, store, conn, **options):
        super().__init__(conn, **options)
        self._store = store

    def execute(self, query, *more, **options):
        self._store.stand(self.connection, query)
        return super().execute(query, *more, **options)

    def executemany(self, query, *more, **options):
        self._store.stand(self.connection, query)
        return super().executemany(query, *more, **options)


@attrs.define
class Stage:
    """The sessions of one scene, and a look into the server to see who waits for whom."""

    probe: psycopg.Connection
    sessions: list

    def play(self, order):
        """Let each session go to its place in turn, and then all of them to the end; return the outcomes."""
        try:
            for session in self.sessions:
                session.start()
                self._settle(session)
            for number, place in order:
                self._advance(self.sessions[number], place)
            while not all(session.over for session in self.sessions):
                before = [session.allowed for session in self.sessions]
                ended = [self._advance(session, END) for session in self.sessions]
                waits = before == [session.allowed for session in self.sessions] and not all(ended)
                assert not waits, f"they wait for each other: {[session.statements[-1] for session in self.sessions]}"
        finally:
            for session in self.sessions:
                session.allow(END)
                session.join(GIVE_UP)
        return [session.outcome for session in self.sessions]

    def _advance(self, session, place):
        """Let a session go on to its place; return False when it waits for another one's lock."""
        while self._settle(session):
            if session.over or session.allowed >= place:
                return True
            ends = session.statements[-1] == COMMIT
            session.allow(session.allowed + 1)
            if self._settle(session) and ends:
                # What waited for its locks has them now.
                for other in self.sessions:
                    self._settle(other)
        return False

    def _settle(self, session):
        """Wait until a session stands (True) or waits for another one's lock (False)."""
        until = time.monotonic() + GIVE_UP
        with session.turn:
            while not session.turn.wait_for(lambda: session.stands, GLANCE):
                if self._is_blocked(session):
                    return False
                assert time.monotonic() < until, f"it never came back from: {session.statements[-1]}"
        return True

    def _is_blocked(self, session):
        others = [other.pid for other in self.sessions if other is not session and other.pid]
        return self.probe.execute("SELECT pg_blocking_pids(%s) && %s::int[]", (session.pid, others)).fetchone()[0]
