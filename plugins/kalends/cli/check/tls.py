"""What ``kalends check`` says of the TLS that Kalends does itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1_modules import pem, rfc5280

from kalends.config.settings import Settings
from kalends.errors import ConfigurationError
from kalends.server.http1.tls import require_usable

_SOON = timedelta(days=14)
"""Let's Encrypt's programs renew 30 days before the end: by then they have failed for a while."""


def problems(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the certificate and the other options of TLS."""
    if settings.tls is None:
        return
    try:
        require_usable(settings.tls, settings.path)
    except ConfigurationError as error:
        yield str(error)
        return
    path = settings.tls.certificate
    try:
        end = _end(path)
    except PyAsn1Error:  # "BEGIN TRUSTED CERTIFICATE", which OpenSSL writes if asked to
        yield f"{path}: the certificate is in a form that does not show when it ends"
        return
    now = datetime.now(UTC)
    if end < now + _SOON:
        when = "ended" if end < now else "ends"
        yield f"{path}: the certificate {when} on {end:%Y-%m-%d %H:%M} UTC; renew it"


def _end(chain: Path) -> datetime:
    """When the first certificate of a file ends (RFC 5280 section 4.1.2.5).

    Raises:
        PyAsn1Error: there is none.
    """
    with chain.open(encoding="latin-1") as file:
        octets = pem.readPemFromFile(file)
    certificate, _ = decoder.decode(octets, asn1Spec=rfc5280.Certificate())
    moment: datetime = (
        certificate["tbsCertificate"]["validity"]["notAfter"].getComponent().asDateTime
    )
    return moment
