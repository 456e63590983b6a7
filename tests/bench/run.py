"""Program of `make bench`, which compares Kalends with stock Radicale, Xandikos and Cyrus."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.sections import main

if __name__ == "__main__":
    sys.exit(main())
