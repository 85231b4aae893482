# SPDX-License-Identifier: Apache-2.0
"""Runs the Python tests (test_*.py) of a folder; the last line is the tally that scripts/test
adds up."""

import os
import sys
import unittest


def main():
    folder = os.path.abspath(sys.argv[1])
    sys.path.insert(0, folder)
    suite = unittest.defaultTestLoader.discover(folder, "test_*.py")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
