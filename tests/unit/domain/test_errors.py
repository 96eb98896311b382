"""Each error says whether to try again, and carries what it speaks of."""

from tallybook.domain import errors


def test_an_error_carries_the_run_client_and_operation_it_speaks_of() -> None:
    error = errors.Busy("busy", run_id="261123-120000", client_id="acme", operation="lead_scoring")
    assert (error.run_id, error.client_id, error.operation) == ("261123-120000", "acme", "lead_scoring")


def test_what_may_succeed_later_says_so() -> None:
    assert errors.LedgerUnavailable.retryable
    assert not errors.SchemaMismatch.retryable
    assert not errors.BadInput.retryable


def test_a_provider_error_carries_the_reason_of_the_outcome() -> None:
    error = errors.ProviderStop("no more today", reason="quota", blocked_reason="the quota of the day is used up")
    assert (error.reason, error.blocked_reason, error.retryable) == ("quota", "the quota of the day is used up", False)
    assert errors.ProviderError("429", reason="quota").retryable


def test_too_many_failures_say_how_long_to_wait() -> None:
    error = errors.TooManyFailures("wait a little", retry_after_s=30)
    assert (str(error), error.retry_after_s, error.retryable) == ("wait a little", 30, True)
