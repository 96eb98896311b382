"""`--fail-on-skip`: a skipped test proves nothing, so a check that skipped one has not passed."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="fail if any test was skipped, as ./dev check does")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK and session.config.getoption("--fail-on-skip") and skips(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def skips(session: pytest.Session) -> bool:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return reporter is not None and bool(reporter.stats.get("skipped"))
