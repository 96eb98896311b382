"""What the installed package says of itself."""

import importlib.metadata

import tallybook


def test_the_version_is_the_one_that_was_installed() -> None:
    assert tallybook.__version__ == importlib.metadata.version("tallybook")
