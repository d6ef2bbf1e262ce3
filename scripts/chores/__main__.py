"""Command line: `python -m chores setup run|check|test`, `… check`, `… test`, `… fuzz [build|SECONDS]`."""

import os
import sys
from pathlib import Path

from chores import fuzz, provision, verify
from chores.progress import ChoreFailed

ROOT = Path(__file__).resolve().parents[2]
USAGE = "usage: python -m chores setup run|check|test  |  check  |  test  |  fuzz [build|SECONDS]"


def main(arguments: list[str]) -> int:
    """Run one chore; 0 when all of it went well."""
    os.chdir(ROOT)
    try:
        match arguments:
            case ["setup", ("run" | "check" | "test") as profile]:
                provision.run(ROOT, profile)
                return 0
            case ["check"]:
                return verify.check(ROOT)
            case ["test"]:
                return verify.test(ROOT)
            case ["fuzz"]:
                return fuzz.run(ROOT, fuzz.DEFAULT_SECONDS)
            case ["fuzz", "build"]:
                fuzz.build(ROOT)
                return 0
            case ["fuzz", seconds] if seconds.isdecimal():
                return fuzz.run(ROOT, int(seconds))
            case _:
                print(USAGE, file=sys.stderr)
                return 2
    except ChoreFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished stays, the next run goes on from there", file=sys.stderr)
        return 130


sys.exit(main(sys.argv[1:]))
