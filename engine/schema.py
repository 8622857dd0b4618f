"""Tables of a workspace's database and how they came about: one numbered migration per change."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

INITIAL = (
    """create table runs (id integer primary key autoincrement, kind text not null,
        spec text not null, state text not null, wanted text not null, created_at real not null,
        heartbeat_at real not null, ended_at real, status text not null default '{}') strict""",
    """create table events (id integer primary key autoincrement,
        run_id integer not null references runs(id), at real not null, kind text not null,
        payload text not null) strict""",
    "create index events_of_run on events (run_id, id)",
    """create table latencies (device text not null, key text not null, ms_median real not null,
        ms_p10 real not null, ms_p90 real not null, repeats integer not null, at real not null,
        primary key (device, key)) strict""",
    """create table calibrations (device text not null, space text not null, payload text not null,
        at real not null, primary key (device, space)) strict""",
    """create table documents (id integer primary key autoincrement, name text not null,
        payload text not null, at real not null) strict""",
    "create index documents_by_name on documents (name, id)",
)

migrations = Migrations("studio")


@migrations()
def m001_initial(db: Database) -> None:
    """Runs, events, latency tables, calibrations and saved documents."""
    for statement in INITIAL:
        db.execute(statement)


@migrations()
def m002_author(db: Database) -> None:
    """Who saved a revision; empty where nobody said so."""
    db.execute("alter table documents add column author text not null default ''")
