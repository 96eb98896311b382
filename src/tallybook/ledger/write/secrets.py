"""Secrets that all processes of one database share, where the settings have none."""

from tallybook.database import Tx


def signing_secret(tx: Tx, made: str) -> str:
    """What webhook tokens are signed with: *made*, if there is none yet, and from then on always that one.

    *made*: random, of at least 256 bits. Whoever asks first decides for all who ask later.
    """
    tx.execute(
        "INSERT INTO @follower_state (follower, name, value, at) VALUES ('server', 'signing_secret', ?, ?)"
        " ON CONFLICT DO NOTHING",
        (made, tx.stamp),
    )
    ((kept,),) = tx.rows("SELECT value FROM @follower_state WHERE follower = 'server' AND name = 'signing_secret'")
    return str(kept)
