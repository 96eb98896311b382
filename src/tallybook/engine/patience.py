"""Asking a client's store again when it did not answer: a restart of its database is no reason to give up a run."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from tallybook.domain.errors import StoreUnavailable

AGAIN_AFTER_S = (0.2, 1.0, 3.0)
T = TypeVar("T")
log = logging.getLogger(__name__)


def patiently(ask: Callable[[], T], told: Callable[[], bool] = lambda: False) -> T:
    """What *ask* gives, be it at a later try; none is made once *told* to stop. Raises StoreUnavailable."""
    for wait_s in AGAIN_AFTER_S:
        try:
            return ask()
        except StoreUnavailable as error:
            if told():
                raise
            log.warning("trying again in %s s: %s", wait_s, error)
            time.sleep(wait_s)
    return ask()
