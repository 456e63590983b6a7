"""Script that merges calendars with mergecal, which has to merge all of them after each change.

Usage: merge.py FILE... ; it prints the seconds of each of three runs. It has its own environment.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    """Read, merge and write the files, three times."""
    from icalendar import Calendar
    from mergecal import merge_calendars

    for _ in range(3):
        began = time.perf_counter()
        calendars = [
            part
            for name in sys.argv[1:]
            for part in Calendar.from_ical(Path(name).read_bytes(), multiple=True)
        ]
        merge_calendars(calendars).to_ical()
        sys.stdout.write(f"{time.perf_counter() - began}\n")


if __name__ == "__main__":
    main()
