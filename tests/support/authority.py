"""Certificate authorities for client certificates."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.webserver import Certificate

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of openssl.

    Attributes:
        certificate: its own certificate (PEM), for servers to verify clients by.
    """

    certificate: Path
    _key: Path

    @classmethod
    def create_in(cls, folder: Path) -> Authority:
        """Let openssl create a certificate authority in a new folder."""
        folder.mkdir(parents=True)
        made = cls(folder / "ca.crt", folder / "ca.key")
        files = ["-keyout", str(made._key), "-out", str(made.certificate)]
        _openssl("req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={folder.name}", *files)
        return made

    def client(self, name: str) -> Certificate:
        """Return a new certificate for a client, and its key."""
        made = Certificate(self._key.with_name(f"{name}.crt"), self._key.with_name(f"{name}.key"))
        request = str(made.key.with_suffix(".csr"))
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(made.key), "-out", request)
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"]
        _openssl("x509", "-req", "-in", request, *signer, "-days", "2", "-out", str(made.chain))
        return made


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
