"""Setting up the triggers that tell of changed tables."""

from reactor.model.errors import ConfigError, ReactorError, Unreachable
from reactor.sources.postgres.catalog import install_sql
from reactor.sources.postgres.connect import connected


async def install(dsn: str) -> None:
    """Runs `install.sql`. May be done again.

    Raises:
        Unreachable: the database does not answer. ConfigError: it does, and refuses.
    """
    try:
        async with connected(dsn, read_only=False) as connection:
            await connection.execute(install_sql())
    except ReactorError:
        raise
    except (OSError, TimeoutError) as error:
        raise Unreachable(
            f"PostgreSQL cannot be reached: {str(error) or 'it did not answer in time'}. Nothing was set up. Look at the setting postgres.dsn, "
            "and whether the server runs."
        ) from error
    except Exception as error:  # the driver has errors of its own
        raise ConfigError(
            f"PostgreSQL refused: {error}. Nothing was set up. Event triggers need a superuser: run this as one, or hand the SQL of "
            "`reactor schema install --print` to somebody who is. Without it, tables are compared every so often."
        ) from error
