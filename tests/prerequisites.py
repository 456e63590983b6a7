"""Installer of what the tests need besides Python packages; `make test` runs it first.

Without the rights to install, it prints the names of the missing packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

JS = Path(__file__).resolve().parent / "js"

# Servers are in a folder that only root has on the path.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

# required program (or pattern of a file) -> Debian package that contains it
DEBIAN = {
    "node": "nodejs",
    "npm": "npm",
    "curl": "curl",
    "openssl": "openssl",
    "htpasswd": "apache2-utils",
    "apache2": "apache2-bin",
    "/usr/lib/apache2/modules/mod_wsgi.so": "libapache2-mod-wsgi-py3",
    "nginx": "nginx-light",
    "slapd": "slapd",
    "systemd-socket-activate": "systemd",
    "dovecot": "dovecot-imapd",
    "fail2ban-regex": "fail2ban",
    "/usr/lib/postgresql/*/bin/initdb": "postgresql",
    "litmus": "litmus",
    "cadaver": "cadaver",
    "chromium": "chromium",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}


def missing() -> list[str]:
    """Return the Debian packages whose programs are not on the path."""
    return sorted(
        {
            package
            for program, package in DEBIAN.items()
            if not (Path(program).is_absolute() and any(Path("/").glob(program[1:])))
            and not shutil.which(program, path=PATH)
        }
    )


def install(packages: list[str]) -> None:
    """Install Debian packages, with fresh package lists if the present ones do not have them."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", "--quiet", *packages]
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode:
        subprocess.run(
            ["apt-get", "update", "--quiet"], env=environment, stdout=sys.stderr, check=True
        )
        subprocess.run(command, env=environment, stdout=sys.stderr, check=True)


def install_ical_js() -> None:
    """Install the locked npm packages of tests/js, unless they are installed already."""
    lock = JS / "package-lock.json"
    done = JS / "node_modules" / ".kalends-lock"
    if done.exists() and done.read_text() == lock.read_text():
        return
    subprocess.run(["npm", "ci", "--no-progress", "--silent"], cwd=JS, check=True)
    done.write_text(lock.read_text())


def main() -> int:
    """Install what is missing; return 0 if everything is installed then, and 1 otherwise."""
    packages = missing()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        install(packages)
        packages = missing()
    if packages:
        sys.stderr.write(
            "The tests need Debian packages that are not installed. As root:\n"
            f"    apt-get install {' '.join(packages)}\n"
        )
        return 1
    try:
        install_ical_js()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"npm could not install tests/js (exit status {error.returncode})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
