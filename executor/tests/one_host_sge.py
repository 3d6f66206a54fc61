"""A real Grid Engine on this machine, for the time of the tests: one host, state in one folder."""

import contextlib
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from one_host_slurm import Daemons, free_ports, missing

COMMANDS = "sge_qmaster sge_execd qsub qstat qdel qconf".split()
PACKAGES = "gridengine-master gridengine-exec gridengine-client".split()
QUEUES = ("shortq", "longq")
SLOTS = 4
PROGRAMS = Path("/usr/lib/gridengine")
SHARED = Path("/usr/share/gridengine")
BOOTSTRAP = """\
admin_user              none
default_domain          none
ignore_fqdn             false
spooling_method         berkeleydb
spooling_lib            libspoolb
spooling_params         {root}/database
binary_path             /usr/sbin
qmaster_spool_dir       {root}/qmaster
security_mode           none
listener_threads        2
worker_threads          2
scheduler_threads       1
"""
# root may submit; accounting is written at once; what a job leaves behind is killed
GLOBAL = {
    "execd_spool_dir": "{root}/execd",
    "mailer": "/bin/true",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:05",
    "execd_params": "ENABLE_ADDGRP_KILL=TRUE",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:01 joblog=false sharelog=00:00:00",
}
SCHEDULER = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
QUEUE = {
    "hostlist": "@allhosts",
    "slots": str(SLOTS),
    "pe_list": "smp",
    "shell": "/bin/bash",
    "shell_start_mode": "unix_behavior",
    "load_thresholds": "NONE",
}
HOSTS = """\
group_name @allhosts
hostlist localhost
"""
PARALLEL = """\
pe_name            smp
slots              999
user_lists         NONE
xuser_lists        NONE
start_proc_args    NONE
stop_proc_args     NONE
allocation_rule    $pe_slots
control_slaves     FALSE
job_is_first_task  TRUE
urgency_slots      min
accounting_summary TRUE
qsort_args         NONE
"""


def unavailable() -> str:
    """Why no Grid Engine can be started here; "" if one can."""
    if reason := missing(COMMANDS, PACKAGES):
        return reason
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError:
        return f"this machine does not know its own name, {socket.gethostname()}: not in /etc/hosts"
    return ""


class OneHostGridEngine(Daemons):
    """Started by `start`, ended by `stop`; `env` lets commands find it; `accounting` is the file of ended jobs.

    A job whose output (-o) or working folder (-wd) does not exist, or that exits with 100, gets the state Eqw.
    """

    def __init__(self, root: Path) -> None:
        ports = free_ports(2)
        super().__init__(
            root,
            {
                "SGE_ROOT": str(root),
                "SGE_CELL": "default",
                "SGE_QMASTER_PORT": str(ports[0]),
                "SGE_EXECD_PORT": str(ports[1]),
            },
        )
        self.accounting = root / "default" / "common" / "accounting"

    def start(self) -> None:
        self._claim()
        self.root.chmod(0o755)
        self._write_state()
        self.start_controller()
        self._succeed("qconf", "-as", "localhost")
        self._configure("-Msconf", edited(self.run("qconf", "-ssconf"), SCHEDULER))
        self._configure("-Ahgrp", HOSTS)
        self._configure("-Ap", PARALLEL)
        self._spawn("sge_execd", "env", "SGE_ND=1", "sge_execd")
        for queue in QUEUES:
            self._configure("-Aq", edited(self.run("qconf", "-sq"), {"qname": queue, **QUEUE}))
        self._wait(self._ready, "sge_execd")

    def stop_controller(self) -> None:
        """End sge_qmaster, as for an update."""
        self._terminate("sge_qmaster")

    def start_controller(self) -> None:
        """Start sge_qmaster (again; then it knows its jobs)."""
        self._spawn("sge_qmaster", "env", "SGE_ND=1", "sge_qmaster")
        self._wait(lambda: self.run("qconf", "-sh"), "sge_qmaster")

    @contextlib.contextmanager
    def submit_limit(self, jobs: int) -> Iterator[None]:
        """Let the user have at most so many jobs, waiting or running."""
        self._limit_submissions(jobs)
        try:
            yield
        finally:
            self._limit_submissions(0)

    def queue(self) -> list[str]:
        """Return the ids of the jobs in the queue."""
        return re.findall(r"^ *(\d+) ", self.run("qstat", "-u", "*"), re.MULTILINE)

    def _ready(self) -> bool:
        queues = [line.split() for line in self.run("qstat", "-f").splitlines() if "@" in line]
        return len(queues) == len(QUEUES) and all(len(words) == 5 for words in queues)  # the 6th: what is wrong

    def _limit_submissions(self, jobs: int) -> None:
        """Set the limit of each user's jobs; 0 is none."""
        (self.root / "limits").mkdir(exist_ok=True)
        file = self.root / "limits" / "global"  # the file's name says whose configuration it is
        file.write_text(edited(self.run("qconf", "-sconf", "global"), {"max_u_jobs": str(jobs)}))
        self._succeed("qconf", "-Mconf", str(file))
        known = re.compile(rf"^max_u_jobs +{jobs}$", re.MULTILINE)
        self._wait(lambda: known.search(self.run("qconf", "-sconf", "global")), f"max_u_jobs {jobs}")

    def _configure(self, option: str, text: str) -> None:
        (self.root / "qconf.in").write_text(text)
        self._succeed("qconf", option, str(self.root / "qconf.in"))

    def _write_state(self) -> None:
        """Do what Debian does to install a new one, in a folder of our own."""
        for name in ("default/common", "database", "qmaster/job_scripts", "execd"):
            (self.root / name).mkdir(parents=True)
        (self.root / "util").symlink_to(SHARED / "util")
        common = self.root / "default" / "common"
        (common / "bootstrap").write_text(BOOTSTRAP.format(root=self.root))
        (common / "act_qmaster").write_text("localhost\n")
        # whatever the host calls itself, it is localhost
        name, others, _ = socket.gethostbyname_ex(socket.gethostname())
        names = {name, *others, socket.gethostname(), socket.gethostbyaddr("127.0.0.1")[0]} - {"localhost"}
        (common / "host_aliases").write_text(f"localhost {' '.join(sorted(names))}\n")
        settings = {name: value.format(root=self.root) for name, value in GLOBAL.items()}
        (self.root / "global").write_text(edited((SHARED / "default-configuration").read_text(), settings))
        resources = SHARED / "util" / "resources"
        self._succeed(f"{PROGRAMS}/spoolinit", "berkeleydb", "libspoolb", f"{self.root}/database", "init")
        for what, value in {
            "configuration": self.root / "global",
            "complexes": resources / "centry",
            "usersets": resources / "usersets",
            "managers": "root",
        }.items():
            self._succeed(f"{PROGRAMS}/spooldefaults", what, str(value))


def edited(text: str, settings: Mapping[str, str]) -> str:
    """Change lines "name value" of a configuration."""
    for name, value in settings.items():
        text = re.sub(rf"^{name}\s(?:.*\\\n)*.*$", f"{name} {value}", text, flags=re.MULTILINE)
    return text
