"""The rows of jobs, by what has to be known or done of one of them inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from impasto.errors import OptionError
from impasto.studio.errors import MissingError
from impasto.studio.jobs.tables import events, jobs, pictures

OPEN = ("queued", "running")
"""States of a job that is not over."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job.

    Attributes:
        id: the job's.
        fence: what the job's fence was raised to.
        order: what is asked for.
        owner: whose it is.
        attempt: 1 for the first.
    """

    id: str
    fence: int
    order: Values
    owner: str
    attempt: int


def forget(connection: Connection, row: Row[Any]) -> str | None:
    """Deletes a job that is over, with its events and the row of its result; returns the result's id."""
    connection.execute(delete(events).where(events.c.job == row.id))
    connection.execute(delete(jobs).where(jobs.c.id == row.id))
    if row.result:
        connection.execute(delete(pictures).where(pictures.c.id == row.result))
    return row.result  # type: ignore[no-any-return]


def row_of(connection: Connection, identity: str, owner: str, *, lock: bool = False) -> Row[Any]:
    """An owner's job.

    Raises:
        MissingError: when there is none of that name, or it is somebody else's.
    """
    wanted = select(jobs).where(jobs.c.id == identity, jobs.c.owner == owner)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise MissingError("there is no such job")
    return row


def claimable(quick: bool) -> ColumnElement[bool]:
    """Jobs that a worker may claim."""
    waits: ColumnElement[bool] = jobs.c.state == "queued"
    return waits & jobs.c.quick if quick else waits


def same_key(owner: str, key: str | None) -> tuple[Any, ...]:
    """The job for which a key stands; without a key there is none."""
    return jobs.c.owner == owner, jobs.c.key == key, jobs.c.key.is_not(None)


def known_job(connection: Connection, order: Values, owner: str, key: str | None) -> str | None:
    """The job of a key, whose order must be this one; what its result is called is not asked for, but made of names."""
    wanted = select(jobs.c.id, jobs.c.order).where(*same_key(owner, key))
    found = connection.execute(wanted).one_or_none() if key else None
    if found is None:
        return None
    asked = json.loads(json.dumps(order))  # as it is read again
    if {**found.order, "label": None} != {**asked, "label": None}:
        raise OptionError("this Idempotency-Key stands for another order; mend: one of its own for each")
    return str(found.id)


def held(claim: Claim) -> tuple[Any, ...]:
    """The job of a claim, while that holds."""
    return jobs.c.id == claim.id, jobs.c.fence == claim.fence, jobs.c.state == "running"


def tell(connection: Connection, identity: str, kind: str, data: Values) -> None:
    """Appends an event. The job's row is locked by this very update, so that numbers have no gaps and no twins."""
    told = update(jobs).where(jobs.c.id == identity).values(told=jobs.c.told + 1).returning(jobs.c.told)
    number = connection.execute(told).scalar_one()
    connection.execute(insert(events).values(job=identity, number=number, kind=kind, data=dict(data)))
