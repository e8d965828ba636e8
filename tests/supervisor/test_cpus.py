"""How many CPUs a container may use."""

from __future__ import annotations

import pytest
from prodserve.supervisor.cpus import allowed_cpus, cgroup_quota, count_cpus, parse_cfs, parse_cpu_max

V2 = "0::/app/web\n"
V1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2.0),
        ("150000 100000\n", 1.5),
        ("50000\n", 0.5),
        ("", None),
        ("0 100000", None),
        ("nonsense 100000", None),
        ("100000 0", None),
    ],
)
def test_cpu_max_of_cgroup_v2_is_read(text, cpus):
    assert parse_cpu_max(text) == cpus


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [("-1\n", "100000\n", None), ("400000\n", "100000\n", 4.0), ("", "", None), ("25000", "100000", 0.25)],
)
def test_the_quota_of_cgroup_v1_is_read(quota, period, cpus):
    assert parse_cfs(quota, period) == cpus


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/app/web/cpu.max": "max 100000"}, None),
        ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/app/web/cpu.max": "300000 100000"}, 3.0),
        ({"/proc/self/cgroup": V2, "/sys/fs/cgroup/app/cpu.max": "200000 100000"}, 2.0),
        (
            {
                "/proc/self/cgroup": V2,
                "/sys/fs/cgroup/app/web/cpu.max": "300000 100000",
                "/sys/fs/cgroup/app/cpu.max": "100000 100000",
            },
            1.0,
        ),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),  # seen from in a container
        (
            {
                "/proc/self/cgroup": V1,
                "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000",
                "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2.5,
        ),
        (
            {
                "/proc/self/cgroup": V1,
                "/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000",
                "/sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
    ],
)
def test_the_smallest_quota_on_the_way_up_holds(files, quota):
    assert cgroup_quota(files.get) == quota


@pytest.mark.parametrize(
    ("affinity", "quota", "count", "why"),
    [
        (2, None, 2, "2 CPUs: affinity 2, cgroup quota none, host 64"),
        (64, 1.5, 2, "2 CPUs: affinity 64, cgroup quota 1.5, host 64"),
        (64, 0.1, 1, "1 CPU: affinity 64, cgroup quota 0.1, host 64"),
        (4, 16.0, 4, "4 CPUs: affinity 4, cgroup quota 16, host 64"),
    ],
)
def test_the_number_comes_with_its_sum(affinity, quota, count, why):
    assert count_cpus(affinity, quota, 64) == (count, why)


def test_this_machine_has_at_least_one_cpu():
    assert allowed_cpus().number >= 1
