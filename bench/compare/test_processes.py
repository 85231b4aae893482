# SPDX-License-Identifier: Apache-2.0
import os
import re
import sys
import tempfile
import time
import unittest

import processes
from processes import Process, Sampler, Trouble


class Processes(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.log = os.path.join(directory.name, "log")

    def start(self, code):
        process = Process([sys.executable, "-c", code], self.log)
        self.addCleanup(process.stop, 0.1)
        return process

    def test_a_program_that_hangs_is_ended(self):
        process = self.start("import signal, time; signal.signal(15, signal.SIG_IGN)\n"
                             "print('deaf', flush=True); time.sleep(60)")
        process.wait_for_line(re.compile("deaf"), 10)
        self.assertIsNone(process.wait(0.01))
        process.stop(0.05)
        self.assertRaises(ProcessLookupError, os.kill, process.pid, 0)

    def test_what_it_started_is_ended_too(self):
        process = self.start("import subprocess, time\n"
                             "print('child', subprocess.Popen(['sleep', '60']).pid, flush=True)\n"
                             "time.sleep(60)")
        child = int(process.wait_for_line(re.compile(r"child (\d+)"), 10)[1])
        self.assertIn(child, processes._descendants(process.pid))
        process.stop(1)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not is_gone(child):
            time.sleep(0.01)
        self.assertTrue(is_gone(child))

    def test_a_program_that_does_not_start_says_why(self):
        process = self.start("import sys; sys.exit('port in use')")
        with self.assertRaisesRegex(Trouble, "port in use"):
            process.wait_for_line(re.compile("ready"), 10)

    def test_the_cpu_time_of_children_counts(self):
        process = self.start("import subprocess, sys\n"
                             "subprocess.run([sys.executable, '-c', 'while True: pass'])")
        with Sampler({"it": process.pid}, 0.02) as sampler:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if sampler.samples["it"] and sampler.samples["it"][-1][1] > 0.1:
                    break
                time.sleep(0.02)
        used = [value for _, value in sampler.samples["it"]]
        self.assertGreater(used[-1], 0.1)
        self.assertEqual(used, sorted(used))

    def test_memory_is_that_which_is_touched(self):
        process = self.start("import time; kept = b'x' * (32 << 20)\nprint('has it', flush=True)\n"
                             "time.sleep(60)")
        process.wait_for_line(re.compile("has it"), 10)
        self.assertGreater(processes.resident_bytes(process.pid), 32 << 20)

    def test_what_is_gone_uses_nothing(self):
        process = self.start("pass")
        process.wait(10)
        self.assertIsNone(processes.cpu_seconds(process.pid))
        self.assertEqual(processes.resident_bytes(process.pid), 0)


def is_gone(pid):
    """Ended, whether or not somebody has taken note."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
            return text.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


if __name__ == "__main__":
    unittest.main()
