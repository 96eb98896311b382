"""What names a row."""

from typing import NamedTuple

from tallybook.domain.client import ClientId
from tallybook.domain.run import OperationName


class ClientKey(NamedTuple):
    """One client's part of a run."""

    run_id: str
    client_id: ClientId


class OperationKey(NamedTuple):
    """One operation for one client in one run."""

    run_id: str
    client_id: ClientId
    operation: OperationName

    @property
    def of_client(self) -> ClientKey:
        return ClientKey(self.run_id, self.client_id)
