"""How to reach an S3 server. Law: values; what is not set here is taken from the environment, as every S3 tool does."""

from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(frozen=True)
class Access:
    """Unset: `AWS_*` of the environment, then the role of the machine. GCS and Azure know their environment alone."""

    endpoint: str | None = None
    """`http://host:port` of a server that is not Amazon's."""
    region: str | None = None
    access_key: SecretStr | None = field(default=None, repr=False)
    secret_key: SecretStr | None = field(default=None, repr=False)

    def options(self) -> dict[str, str]:
        """As obstore spells them: only what is set. Holds secrets: hand it on, never show it."""
        keys = {"access_key_id": self.access_key, "secret_access_key": self.secret_key}
        options = {name: key.get_secret_value() for name, key in keys.items() if key is not None}
        if self.endpoint is not None:
            options["endpoint"] = self.endpoint
        if self.region is not None or self.endpoint is not None:
            options["region"] = self.region or "us-east-1"
        return options
