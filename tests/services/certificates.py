"""An authority of the tests' own, and a key with a certificate for each side of a connection."""

import subprocess
from pathlib import Path

from tests.services.cache import tool


def authority(folder: Path) -> Path:
    """A folder with `ca.pem`, and `server` and `client`, each as `.key` and `.pem`."""
    home = folder / "certificates"
    home.mkdir()
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    _openssl(home, [*new, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"])
    for side in ("server", "client"):
        extra = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-CA", "ca.pem", "-CAkey", "ca.key"]
        extra += ["-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl(home, [*new, "-subj", f"/CN={side}", "-keyout", f"{side}.key", "-out", f"{side}.pem", *extra])
    return home


def _openssl(home: Path, arguments: list[str]) -> None:
    subprocess.run([tool("openssl", "certificates for TLS"), *arguments], cwd=home, check=True, capture_output=True)
