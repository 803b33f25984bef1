"""The queue: who may add a job, who gets it, and whose word on it counts.

A worker holds a job by a lease that its signs of life renew. When they stop, the job goes to another worker, as often
as `Limits.attempts` says. Each claim raises the job's fence by one, and whatever is written of a job is written only
where the fence still stands as it was claimed: a worker that was thought dead changes nothing (Kleppmann 2016, How to
do distributed locking). The clock is the database's, the same for all machines.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, literal, select, update

from impasto.studio import logs
from impasto.studio.errors import BusyError, ConflictError, LostError, MissingError
from impasto.studio.jobs.database import Database, alone
from impasto.studio.jobs.rows import (
    OPEN,
    Claim,
    Values,
    claimable,
    forget,
    held,
    known_job,
    row_of,
    same_key,
    tell,
)
from impasto.studio.jobs.tables import events, jobs, needs, pictures, workers
from impasto.studio.limits import Limits

ALWAYS = 1 << 62
"""More free places than anybody can take."""

TICK = 1e-6
"""Seconds between two jobs at least, whatever the clock says: the order of their times is the order they came in."""

WAIT = 5
"""Seconds after which a client that was sent away may try again."""

SMALLER = "a smaller size"
"""What mends most of what a worker dies of."""

log = logs.get("queue")


class Queue:
    """All jobs.

    Args:
        database: where they are.
        limits: how many, how long, how often.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database, self._limits = database, limits
        self._lock, self._entering = threading.Lock(), 0

    # What clients do

    @contextmanager
    def entrance(self, *, owner: str, client: str, key: str | None = None, quick: bool = False) -> Iterator[None]:
        """Looks whether an order would find a place just now, and keeps it from others of this process meanwhile.

        It is one look, which waits for nobody: whoever is to be sent away is sent away before anything else is done
        for him, and does not stand behind those who write for a place that somebody before him will take. An order
        whose key is known needs no place: it was taken before.

        Raises:
            BusyError: when the queue is full, or the client has as many jobs as it may.
        """
        with self._database.read() as connection:
            free = self._check_room(connection, client, quick, select(jobs.c.id).where(*same_key(owner, key)))
        with self._lock:
            if free <= self._entering:
                raise BusyError("others take the last places just now; mend: try again later", WAIT)
            self._entering += 1
        try:
            yield
        finally:
            with self._lock:
                self._entering -= 1

    def known(self, order: Values, *, owner: str, key: str | None) -> str | None:
        """The job for which a key stands, whatever has become of its pictures since; None when there is none.

        Raises:
            OptionError: when the key stands for another order.
        """
        with self._database.read() as connection:
            return known_job(connection, order, owner, key)

    def submit(
        self, order: Values, *, owner: str, client: str, reads: Sequence[str] = (), key: str | None = None,
        quick: bool = False,
    ) -> str:  # fmt: skip
        """Adds a job. The same order of the same owner with the same key is the same job.

        Returns:
            Its id.

        Raises:
            BusyError: when the queue is full, or the client has as many jobs as it may.
            MissingError: when a picture that it reads is gone.
            OptionError: when the key stands for another order.
        """
        with self._database.write() as connection:
            alone(connection)
            if known := known_job(connection, order, owner, key):
                return known
            self._check_room(connection, client, quick)
            wanted = set(reads)
            found = select(pictures.c.id).where(pictures.c.id.in_(wanted), pictures.c.owner == owner)
            if len(connection.execute(found.with_for_update(read=True, key_share=True)).all()) != len(wanted):
                raise MissingError("a picture of this job is gone; mend: upload it again")
            identity, last = secrets.token_hex(16), connection.scalar(select(func.max(jobs.c.created)))
            connection.execute(insert(jobs).values(
                id=identity, owner=owner, client=client, key=key, order=dict(order), quick=quick, state="queued",
                created=max(self._database.clock(connection), (last or 0) + TICK), cancel=False, stand={},
            ))  # fmt: skip
            for picture in wanted:
                connection.execute(insert(needs).values(job=identity, picture=picture))
            tell(connection, identity, "state", {"state": "queued"})
        return identity

    def get(self, identity: str, owner: str) -> Row[Any]:
        """One job.

        Raises:
            MissingError: when there is none of that name, or it is somebody else's.
        """
        with self._database.read() as connection:
            return row_of(connection, identity, owner)

    def list(
        self, owner: str, *, state: str | None = None, limit: int = 50, before: float | None = None
    ) -> Sequence[Row[Any]]:
        """An owner's jobs, newest first."""
        wanted = select(jobs).where(jobs.c.owner == owner)
        wanted = wanted.where(jobs.c.state == state) if state else wanted
        wanted = wanted.where(jobs.c.created < before) if before is not None else wanted
        with self._database.read() as connection:
            return connection.execute(wanted.order_by(jobs.c.created.desc(), jobs.c.id).limit(limit)).all()

    def line(self) -> Sequence[float]:
        """When each job that waits was put in, the next to be taken first."""
        waiting = select(jobs.c.created).where(jobs.c.state == "queued").order_by(jobs.c.created)
        with self._database.read() as connection:
            return connection.scalars(waiting).all()

    def cancel(self, identity: str, owner: str, *, begun: bool = False) -> None:
        """A queued job is over at once, one of a dead worker too; a running one is asked to stop.

        One that is over stays as it is.

        Args:
            identity: the job's.
            owner: whose it is.
            begun: whether an interrupted run has left a picture, which only a worker can read: a queued job waits for
                one then, unless it is cancelled a second time.

        Raises:
            MissingError: when there is none of that name.
        """
        with self._database.write() as connection:
            row = row_of(connection, identity, owner, lock=True)
            silent = row.state == "running" and row.lease < self._database.clock(connection)
            waits = row.state == "queued" and begun and not row.cancel
            if silent or (row.state == "queued" and not waits):
                self._end(connection, identity, "cancelled")
            elif row.state in OPEN:
                connection.execute(update(jobs).where(jobs.c.id == identity).values(cancel=True))

    def delete(self, identity: str, owner: str) -> str | None:
        """Forgets a job that is over, its events and its result.

        Returns:
            The result's id, whose files are to be deleted now.

        Raises:
            MissingError: when there is none of that name.
            ConflictError: when it is not over, or another job that is not over reads its result.
        """
        with self._database.write() as connection:
            alone(connection)
            row = row_of(connection, identity, owner, lock=True)
            if row.state in OPEN:
                raise ConflictError(f"the job is {row.state}; mend: cancel it first")
            if connection.scalar(select(needs.c.job).where(needs.c.picture == row.result).limit(1)):
                raise ConflictError("a job needs this one's picture; mend: wait for it, or cancel it")
            return forget(connection, row)

    def events(self, identity: str, after: int) -> Sequence[Row[Any]]:
        """What has happened in a job since the event of this number."""
        wanted = select(events).where(events.c.job == identity, events.c.number > after).order_by(events.c.number)
        with self._database.read() as connection:
            return connection.execute(wanted).all()

    def depth(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._database.read() as connection:
            return {
                row[0]: row[1] for row in connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
            }

    # What workers do

    def anything(self, *, quick: bool = False) -> bool:
        """Whether there is a job to claim, or one to take back from a silent worker; reads only."""
        silent = (jobs.c.state == "running") & (jobs.c.lease < self._database.now)
        with self._database.read() as connection:
            return connection.execute(select(jobs.c.id).where(claimable(quick) | silent).limit(1)).first() is not None

    def claim(self, worker: str, *, quick: bool = False) -> Claim | None:
        """The oldest job that waits, or the oldest quick one, now this worker's; None when there is none."""
        with self._database.write() as connection:
            self._reap(connection)
            self._report(connection, worker, None)
            oldest = (
                select(jobs).where(claimable(quick)).order_by(jobs.c.created, jobs.c.id).limit(1)
                .with_for_update(skip_locked=True)
            )  # fmt: skip
            row = connection.execute(oldest).first()
            if row is None:
                return None
            claim = Claim(row.id, row.fence + 1, row.order, row.owner, row.attempts + 1)
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(
                state="running", worker=worker, fence=claim.fence, attempts=claim.attempt, stand={},
                started=self._database.now, lease=self._database.now + self._limits.lease_seconds,
            ))  # fmt: skip
            self._report(connection, worker, row.id)
            tell(connection, row.id, "state", {"state": "running", "attempt": claim.attempt})
            return claim

    def beat(self, worker: str, claim: Claim | None = None) -> None:
        """A worker's sign of life, which renews its lease.

        Raises:
            LostError: when the job is no longer its own.
        """
        with self._database.write() as connection:
            if claim:
                self._change(connection, claim, lease=self._database.now + self._limits.lease_seconds)
            self._report(connection, worker, claim.id if claim else None)

    def asked_to_stop(self, claim: Claim) -> bool:
        """Whether the job is to be cancelled, or is no longer this worker's."""
        wanted = select(jobs.c.cancel).where(*held(claim))
        with self._database.read() as connection:
            cancel = connection.scalar(wanted)
            return cancel is None or bool(cancel)

    def tell(self, claim: Claim, kind: str, data: Values, stand: Values) -> None:
        """Keeps an event of a running job, and where the job stands now.

        Raises:
            LostError: when the job is no longer this worker's.
        """
        with self._database.write() as connection:
            self._change(connection, claim, stand=dict(stand))
            tell(connection, claim.id, kind, data)

    def finish(self, claim: Claim, state: str, *, result: Values | None = None, error: str | None = None) -> None:
        """Ends a job: state, result and last event together or not at all.

        Args:
            claim: the worker's.
            state: done, failed or cancelled.
            result: the row of the picture it made, whose files are there already.
            error: what went wrong.

        Raises:
            LostError: when the job is no longer this worker's; its result is nobody's then.
        """
        with self._database.write() as connection:
            self._change(connection, claim, lease=None)
            if result:
                connection.execute(insert(pictures).values(created=self._database.now, **result))
            self._end(connection, claim.id, state, error=error, result=result["id"] if result else None)

    def release(self, claim: Claim) -> None:
        """Gives a job back that was not finished because the worker itself had to stop; the attempt does not count.

        One that was to be cancelled is over with that.

        Raises:
            LostError: when the job is no longer this worker's.
        """
        with self._database.write() as connection:
            self._change(
                connection, claim, state="queued", attempts=claim.attempt - 1, lease=None, worker=None, stand={}
            )
            if connection.scalar(select(jobs.c.cancel).where(jobs.c.id == claim.id)):
                self._end(connection, claim.id, "cancelled")
            else:
                tell(connection, claim.id, "state", {"state": "queued"})

    def abandon(self, claim: Claim, why: str, *, mend: str = SMALLER) -> bool:
        """Gives a job up that got stuck; the attempt counts. It is another worker's now, or over.

        Args:
            claim: the worker's.
            why: what it fails with if that was the last attempt, such as "nothing moved".
            mend: what to do about it then.

        Returns:
            Whether it is over.

        Raises:
            LostError: when the job is no longer this worker's.
        """
        with self._database.write() as connection:
            row = connection.execute(select(jobs).where(*held(claim)).with_for_update()).first()
            if row is None:
                raise LostError(f"job {claim.id} is another worker's by now")
            return self._give_up(connection, row, why, mend)

    def leave(self, worker: str) -> None:
        """A worker goes home."""
        with self._database.write() as connection:
            connection.execute(delete(workers).where(workers.c.id == worker))

    def alive(self) -> int:
        """How many workers have given a fresh sign of life."""
        fresh = self._database.now - self._limits.lease_seconds
        with self._database.read() as connection:
            return int(connection.scalar(select(func.count()).where(workers.c.beat > fresh)) or 0)

    # What both rest on

    def _check_room(self, connection: Connection, client: str, quick: bool, same: Select[Any] | None = None) -> int:
        """How many places are free, at least one; a single statement, as many ask when it is full.

        An order that `same` finds has a place of its own, however full it is.

        Jobs of a second, which have workers of their own, are counted by themselves.
        """
        waits = select(func.count()).where(jobs.c.state == "queued").scalar_subquery()
        alike = jobs.c.client == client, jobs.c.state.in_(OPEN), jobs.c.quick.is_(quick)
        counts = select(waits, select(func.count()).where(*alike).scalar_subquery())
        waiting, own, known = connection.execute(
            counts.add_columns(literal(False) if same is None else same.exists())
        ).one()
        if known:
            return ALWAYS
        if waiting >= self._limits.queue:
            raise BusyError(f"{waiting} jobs wait already; mend: try again later", WAIT)
        if own >= self._limits.jobs_per_client:
            raise BusyError(f"{own} of your jobs wait or run already; mend: wait for one, or cancel one", WAIT)
        return int(self._limits.queue - waiting)

    def _reap(self, connection: Connection) -> None:
        """Takes jobs back from workers that have gone silent."""
        silent = select(jobs).where(jobs.c.state == "running", jobs.c.lease < self._database.now)
        for row in connection.execute(silent.with_for_update(skip_locked=True)).all():
            self._give_up(connection, row, "the worker died", SMALLER)
        connection.execute(delete(workers).where(workers.c.beat < self._database.now - 10 * self._limits.lease_seconds))

    def _give_up(self, connection: Connection, row: Row[Any], why: str, mend: str) -> bool:
        """A running job goes back into the queue, unless somebody cancelled it or it was tried often enough.

        Returns:
            Whether it is over.
        """
        over = bool(row.cancel or row.attempts >= self._limits.attempts)
        log.warning("given up" if over else "taken back", extra={"job": row.id, "attempt": row.attempts})
        if row.cancel:
            self._end(connection, row.id, "cancelled")
        elif row.attempts >= self._limits.attempts:
            tries = f"{row.attempts} attempts" if row.attempts > 1 else "the attempt"
            self._end(connection, row.id, "failed", error=f"{why} in {tries}; mend: {mend}")
        else:
            values = {"state": "queued", "fence": row.fence + 1, "lease": None, "worker": None, "stand": {}}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(values))
            tell(connection, row.id, "state", {"state": "queued"})
        return over

    def _report(self, connection: Connection, worker: str, job: str | None) -> None:
        seen = update(workers).where(workers.c.id == worker).values(beat=self._database.now, job=job)
        if not connection.execute(seen).rowcount:
            connection.execute(insert(workers).values(id=worker, beat=self._database.now, job=job))

    def _change(self, connection: Connection, claim: Claim, **values: Any) -> None:
        if not connection.execute(update(jobs).where(*held(claim)).values(values)).rowcount:
            raise LostError(f"job {claim.id} is another worker's by now")

    def _end(self, connection: Connection, identity: str, state: str, **values: Any) -> None:
        ended = {"state": state, "finished": self._database.now, "lease": None, "worker": None, **values}
        connection.execute(update(jobs).where(jobs.c.id == identity).values(fence=jobs.c.fence + 1, **ended))
        connection.execute(delete(needs).where(needs.c.job == identity))
        tell(connection, identity, "end", {"state": state})
