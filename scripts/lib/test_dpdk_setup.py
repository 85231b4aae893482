# SPDX-License-Identifier: Apache-2.0
"""scripts/dpdk-setup --bind on a made-up machine: a tree in place of /sys, and an `ip` that says
what it is told to."""

import os
import subprocess
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "dpdk-setup")
CARD = "0000:3b:00.0"
LINK_LOCAL = "fe80::/64 proto kernel metric 256\nff00::/8 table local metric 256"


class Binding(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = scratch.name
        self.device = self.path("sys/bus/pci/devices", CARD)
        driver = self.path("sys/bus/pci/drivers/ixgbe")
        for folder in (self.path("bin"), self.path("sys/class/net/eth0"), driver,
                       os.path.join(self.device, "net/eth0"), self.path("sys/kernel/iommu_groups")):
            os.makedirs(folder)
        os.symlink(driver, os.path.join(self.device, "driver"))
        self.write("sys/bus/pci/drivers_probe", "")
        self.command("modprobe", "exit 0")
        self.command("id", "echo 0")
        self.say()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as out:
            out.write(text)

    def command(self, name, script):
        self.write("bin/" + name, "#!/bin/bash\n" + script + "\n")
        os.chmod(self.path("bin", name), 0o755)

    def say(self, addresses="", routes4="", routes6=LINK_LOCAL, code=0):
        """What `ip` answers. Much of it comes behind what is looked for, as on a large machine."""
        more = "\n".join(f"fe80::{n:x}/128 proto kernel" for n in range(5000))
        for name, text in (("addresses", addresses), ("routes4", routes4),
                           ("routes6", routes6 and f"{routes6}\n{more}")):
            self.write(name, text + "\n" if text else "")
        self.command("ip", f"""case "$*" in
          *addr*) cat {self.path("addresses")} ;;
          -4*) cat {self.path("routes4")} ;;
          -6*) cat {self.path("routes6")} ;;
        esac || exit
        exit {code}""")

    def allow_iommu(self):
        os.mkdir(self.path("sys/kernel/iommu_groups/0"))

    def bind(self, *more):
        env = {**os.environ, "PATH": f"{self.path('bin')}:{os.environ['PATH']}",
               "DPDK_SETUP_SYS": self.path("sys"), "DPDK_SETUP_RECORD": self.path("record")}
        return subprocess.run([SCRIPT, "--bind", "3b:00.0", *more], env=env, capture_output=True,
                              text=True, check=False)

    def let_go(self):
        """Whether the card was taken from its driver."""
        return os.path.exists(os.path.join(self.device, "driver/unbind"))

    def assert_refused(self, done, why):
        self.assertIn(why, done.stderr)
        self.assertEqual(done.returncode, 1)
        self.assertFalse(self.let_go())

    def test_an_interface_with_a_route_is_not_taken(self):
        self.allow_iommu()
        for routes in ("default via 10.0.0.1", "10.0.0.0/24 proto kernel"):
            self.say(routes4=routes)
            for _ in range(20):  # Who reads to the end only by luck would fail now and then.
                self.assert_refused(self.bind(), "has a route")

    def test_an_interface_with_addresses_is_not_taken(self):
        self.allow_iommu()
        self.say(addresses="2: eth0 inet 10.0.0.2/24\n" + "2: eth0 inet6 2001:db8::2/64\n" * 3000)
        for _ in range(20):
            self.assert_refused(self.bind(), "has an address")

    def test_what_cannot_be_asked_is_not_taken(self):
        self.allow_iommu()
        self.say(code=1)
        self.assert_refused(self.bind(), "cannot tell what uses eth0")

    def test_without_an_iommu_the_card_keeps_its_driver(self):
        self.assert_refused(self.bind(), "there is no IOMMU")

    def test_a_card_that_vfio_refuses_goes_back(self):
        self.allow_iommu()
        done = self.bind()  # In this tree nobody takes it from its driver in truth.
        self.assertEqual(done.returncode, 1)
        self.assertTrue(self.let_go())
        self.assertIn("vfio-pci does not take it", done.stderr)
        self.assertIn("is ixgbe's again", done.stderr)
        with open(os.path.join(self.device, "driver_override"), encoding="ascii") as text:
            self.assertEqual(text.read().strip(), "")

    def test_force_asks_nobody(self):
        self.allow_iommu()
        self.say(addresses="2: eth0 inet 10.0.0.2/24")
        self.bind("--force")
        self.assertTrue(self.let_go())


if __name__ == "__main__":
    unittest.main()
