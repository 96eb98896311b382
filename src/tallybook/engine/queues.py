"""DBOS, configured and launched: one workflow per client run, without steps; the ledger is the checkpoint."""

import logging
import os
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from tallybook.database import BUSY_TIMEOUT_S, Database
from tallybook.engine import waking
from tallybook.ledger.write.dispatch import Ticket

log = logging.getLogger(__name__)
NAME = "tallybook"
APPLICATION_VERSION = "tallybook-1"
"""Pinned: DBOS takes up only work of its own version, and its default changes with every deploy."""
SYSTEM_SCHEMA = "tallybook_engine"
QUEUE = "clients"
WORKFLOW = "client_run"
POLL_S = 0.6
"""For what other processes put in the queue; what this one puts there wakes it at once."""
OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 500


class _Process:
    """DBOS is one per process, and so is what its workflow calls."""

    work: Callable[[str, str], None] | None = None
    workflow: Any = None
    lock = threading.Lock()


def _prepare_import() -> None:
    """DBOS reads these from the environment; none may turn on a cloud, a conductor or another version."""
    for name in ("DBOS__CLOUD", "DBOS__APPVERSION", "DBOS__VMID", "DBOS_CONDUCTOR_KEY", "DBOS__CONDUCTOR_KEY"):
        os.environ.pop(name, None)


def launch(database: Database, executor: str, at_once: int, work: Callable[[str, str], None]) -> "Queues":
    """Start DBOS in this process: *work*(run_id, client_id) for up to *at_once* clients, one at a time per client.

    Raises RuntimeError when it was started before and not closed: there is one to a process.
    """
    if _Process.work is not None:
        raise RuntimeError("an engine works in this process already; close it first")
    _prepare_import()
    waking.install()
    _register_workflow()
    logging.getLogger("dbos").setLevel(logging.ERROR)
    engine = _system_engine(database)
    dbos = _configured(engine, executor, at_once)
    queues = Queues(dbos, engine, executor, waking.places(dbos, at_once))
    _Process.work = work
    try:
        _launch()
    except BaseException:
        queues.close()
        raise
    return queues


def _configured(engine: sa.Engine, executor: str, at_once: int) -> Any:
    from dbos import DBOS, DBOSPortableJSONSerializer

    return DBOS(
        config={
            "name": NAME,
            "system_database_engine": engine,
            "dbos_system_schema": SYSTEM_SCHEMA,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": at_once + 8,
            "use_listen_notify": False,
            "enable_otlp": False,
            "log_level": "ERROR",
            "scheduler_polling_interval_sec": 3600.0,
            "notification_listener_polling_interval_sec": 0.1,
        }
    )


def _launch() -> None:
    from dbos import DBOS

    DBOS.listen_queues([QUEUE])
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        partition_concurrency=1,
        worker_concurrency=waking.MOST_AT_ONCE,
        polling_interval_sec=POLL_S,
        on_conflict="always_update",
    )
    waking.list_queues()


def _register_workflow() -> None:
    """Once per process: a name that is claimed but not registered would stay pending for good."""
    from dbos import DBOS

    with _Process.lock:
        if _Process.workflow is None:
            _Process.workflow = DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(_client_run)


def _client_run(run_id: str, client_id: str) -> None:
    if _Process.work is not None:
        _Process.work(run_id, client_id)


def _system_engine(database: Database) -> sa.Engine:
    path = database.path
    if path is None:
        return sa.create_engine(
            database.url.set(drivername="postgresql+psycopg"), pool_size=10, max_overflow=0, pool_pre_ping=True
        )
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path.with_name(f"{path.stem}-engine.db"))), pool_size=10, max_overflow=0
    )
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """DBOS sets nothing on an engine it is given."""
    connection.isolation_level = "IMMEDIATE"
    for pragma in (f"busy_timeout={int(BUSY_TIMEOUT_S * 1000)}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


class Queues:
    """A launched DBOS."""

    def __init__(self, dbos: Any, engine: sa.Engine, executor: str, places: Any) -> None:
        self._dbos = dbos
        self._engine = engine
        self._executor = executor
        self._places = places
        self._unworked: frozenset[str] = frozenset()

    def enqueue(self, tickets: Sequence[Ticket]) -> None:
        """Put client runs in the queue, in one transaction. One that was put there before is left as it is."""
        from dbos import EnqueueOptions
        from dbos._enqueue_options import build_enqueue_status

        rows = []
        for ticket in tickets:
            options: EnqueueOptions = {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": ticket.workflow_id,
                "queue_partition_key": ticket.key.client_id,
                "app_version": APPLICATION_VERSION,
            }
            _, status = build_enqueue_status(options, self._dbos._serializer, tuple(ticket.key), {})
            status["application_name"] = NAME
            rows.append(status)
        if rows and self._dbos._sys_db.init_workflows(rows):
            waking.wake()

    def used_up(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """Those whose workflow is over."""
        from dbos import DBOS

        over: set[str] = set()
        for first in range(0, len(tickets), PRUNED_AT_ONCE):
            ids = [ticket.workflow_id for ticket in tickets[first : first + PRUNED_AT_ONCE]]
            found = DBOS.list_workflows(workflow_ids=ids, status=list(OVER), load_input=False, load_output=False)
            over.update(each.workflow_id for each in found)
        return [ticket for ticket in tickets if ticket.workflow_id in over]

    def others_at_work(self) -> list[str]:
        """Executors other than ours that hold claimed work; they may be dead. What we hold and do not work on, because
        taking it up went wrong, goes back in the queue.
        """
        from dbos import DBOS

        claimed = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        self._put_back_unworked({each.workflow_id for each in claimed if each.executor_id == self._executor})
        return sorted({each.executor_id for each in claimed if each.executor_id} - {self._executor})

    def _put_back_unworked(self, ours: Collection[str]) -> None:
        """Seen twice, so that what is just being taken up is left alone."""
        unworked = frozenset(ours) - set(self._places.activeList())
        for workflow_id in sorted(unworked & self._unworked):
            log.warning("%s was claimed and is not worked on; it goes back in the queue", workflow_id)
            self._dbos._sys_db.reenqueue_for_recovery(workflow_id, [self._executor], QUEUE)
        self._unworked = unworked

    def adopt(self, executor: str) -> int:
        """Put the work of a dead executor back in the queue; only while its slot is held. Gives how many."""
        from dbos import DBOS

        adopted = len(DBOS._recover_pending_workflows([executor]))
        if adopted:
            waking.wake()
        return adopted

    def prune(self) -> int:
        """Forget some of the workflows that ended long ago; gives how many."""
        from dbos import DBOS

        before = (datetime.now(UTC) - KEPT).isoformat()
        old = DBOS.list_workflows(
            status=list(OVER), completed_before=before, limit=PRUNED_AT_ONCE, load_input=False, load_output=False
        )
        if old:
            DBOS.delete_workflows([each.workflow_id for each in old])
        return len(old)

    @property
    def claiming(self) -> bool:
        return bool(self._places.open)

    def stop_claiming(self) -> None:
        """Take up nothing new; what is being worked on goes on."""
        self._places.open = False

    def go_on_claiming(self) -> None:
        self._places.open = True
        waking.wake()

    def busy(self) -> bool:
        return bool(self._places.activeList())

    def close(self) -> None:
        """Let go of DBOS. What still runs finds a database that does not answer instead of waiting for one for ever."""
        from dbos import DBOS

        _Process.work = None
        if self._dbos._sys_db_field is not None:
            self._dbos._sys_db_field._retry_connection_errors = False
        DBOS.destroy()
        self._engine.dispose()
