"""Parts that are installed only where somebody asks for them."""

import importlib
from types import ModuleType

from reactor.model.errors import ConfigError

EXTRA = "schemas"


def need(module: str, what: str) -> ModuleType:
    """The module.

    Raises:
        ConfigError: it is not installed; the text names the extra that has it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and not module.startswith(error.name):
            raise
        package = module.partition(".")[0].replace("_", "-")
        raise ConfigError(
            f"Reading {what} needs {package}, which is not installed here. "
            f"Install it with: pip install 'reactor-orchestrator[{EXTRA}]'"
        ) from error
