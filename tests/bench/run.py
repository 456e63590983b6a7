"""`make bench`: how long Kalends, stock Radicale and Xandikos take for what clients ask."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.compare import main

if __name__ == "__main__":
    sys.exit(main())
