"""The names of recurrent connections. It imports nothing."""


def ends(connection: str) -> tuple[str, str]:
    """Source and target of a recurrent connection. A lateral one has the name of its layer, as in the configuration."""
    source, _, target = connection.partition("_to_")
    return source, target or source
