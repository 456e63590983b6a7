"""``kalends check``: the certificate and the options of TLS without a web server."""

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
"""Clients of Let's Encrypt renew 30 days before the end, so by now renewal has been failing."""


def check_tls(settings: Settings) -> Iterator[str]:
    """Yield a line for each problem with the certificate and the options of TLS."""
    if settings.tls is None:
        return
    try:
        require_usable(settings.tls, settings.path)
    except ConfigurationError as error:
        yield str(error)
        return
    path = settings.tls.certificate
    try:
        end = _expiry(path)
    except PyAsn1Error:  # "BEGIN TRUSTED CERTIFICATE", an extended format of OpenSSL
        yield f"{path}: the certificate's end is unknown; convert it to a plain PEM certificate"
        return
    now = datetime.now(UTC)
    if end < now + _SOON:
        when = "ended" if end < now else "ends"
        yield f"{path}: the certificate {when} on {end:%Y-%m-%d %H:%M} UTC; renew it"


def _expiry(chain: Path) -> datetime:
    """Return the end of validity of the first certificate in a file (RFC 5280 section 4.1.2.5).

    Raises:
        PyAsn1Error: the file has no plain certificate.
    """
    with chain.open(encoding="latin-1") as file:
        octets = pem.readPemFromFile(file)
    certificate, _ = decoder.decode(octets, asn1Spec=rfc5280.Certificate())
    moment: datetime = (
        certificate["tbsCertificate"]["validity"]["notAfter"].getComponent().asDateTime
    )
    return moment
