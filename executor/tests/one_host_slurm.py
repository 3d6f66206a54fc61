"""A real Slurm on this machine, for the time of the tests: two virtual nodes, state in one folder."""

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

COMMANDS = """
munged slurmctld slurmd slurmdbd mariadbd mariadb-install-db
sbatch squeue scancel sinfo scontrol sacct sacctmgr
""".split()
PACKAGES = """
slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins slurmdbd slurm-wlm-mysql-plugin mariadb-server procps
""".split()
# what a daemon has that a machine's start-up begins; jobs of some schedulers inherit it
DAEMON_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
NODES = 2
CGROUPS = Path("/sys/fs/cgroup")
CONF = """\
ClusterName=tests
SlurmctldHost=localhost({address})
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.sock
CryptoType=crypto/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd-%n.log
{listen}
ReturnToService=2
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
SlurmdTimeout=10
MessageTimeout=10
KillWait=2
MinJobAge=300
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
{limits}
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageEnforce=associations,limits
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting_port}
AccountingStoragePass={root}/munge.sock
NodeName=DEFAULT CPUs=5 Boards=1 SocketsPerBoard=1 CoresPerSocket=5 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
{nodes}
PartitionName=DEFAULT State=UP DefMemPerCPU=500 Nodes={names}
PartitionName=shortq Default=YES MaxTime=02:00:00 DefaultTime=00:10:00
PartitionName=longq MaxTime=7-00:00:00 DefaultTime=01:00:00
"""
LIMITS = {
    # the kernel ends what needs more memory than the job asked for
    "cgroup": """\
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=task=1""",
    # Slurm looks at the job's memory each second
    "linuxproc": """\
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss""",
}
CGROUP_CONF = """\
CgroupPlugin={plugin}
CgroupAutomount=no
IgnoreSystemd=yes
ConstrainCores=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
"""
ACCOUNTING_CONF = """\
AuthType=auth/munge
AuthInfo=socket={root}/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting_port}
SlurmUser=root
LogFile={root}/slurmdbd.log
PidFile={root}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=tests
StorageLoc=slurm
"""
DATABASE_SETUP = """\
create database slurm;
create user slurm@'127.0.0.1' identified by 'tests';
create user slurm@localhost identified by 'tests';
grant all on slurm.* to slurm@'127.0.0.1';
grant all on slurm.* to slurm@localhost;
"""


def unavailable() -> str:
    """Why no Slurm can be started here; "" if one can."""
    return missing(COMMANDS, PACKAGES)


def missing(commands: Sequence[str], packages: Sequence[str]) -> str:
    """Which commands are not on this machine, and how to get them; or that only root can start them; "" if neither."""
    absent = [command for command in commands if not shutil.which(command, path=search_path())]
    if absent:
        return f"not on this machine: {', '.join(absent)} (Debian: {' '.join(packages)})"
    return "" if os.geteuid() == 0 else "only root can start it"


def search_path() -> str:
    """PATH with the folders of system programs."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Daemons:
    """Programs in the background that keep their files in one folder; `env` lets commands find them."""

    def __init__(self, root: Path, env: Mapping[str, str]) -> None:
        self.root = root
        self.env = {**env, "PATH": search_path()}
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self.place = 0  # which of those that run at the same time it is, from 1 on
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start all daemons and wait until they work."""
        raise NotImplementedError

    def stop(self) -> None:
        """End all daemons and jobs; nothing of their state is to be kept."""
        kill(lambda: all_of(self.root))
        for process in self._started.values():
            process.wait()
        self._started.clear()
        self._tidy_up()
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def stop_controller(self) -> None:
        """End the scheduler's controller, as for an update."""
        raise NotImplementedError

    def start_controller(self) -> None:
        """Start the controller again; it knows its jobs."""
        raise NotImplementedError

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Let the controller be away."""
        self.stop_controller()
        try:
            yield
        finally:
            self.start_controller()

    def run(self, *command: str) -> str:
        """Run a command; return what it printed, "" on failure."""
        done = self._run(*command)
        return done.stdout if done.returncode == 0 else ""

    def _succeed(self, *command: str) -> str:
        done = self._run(*command)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=os.environ | self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def _tidy_up(self) -> None:
        """Remove what is outside of the folder."""

    def _claim(self) -> None:
        """Take the first place that no other of the kind has, and end what a killed one left there."""
        for place in itertools.count(1):
            claim = Path(tempfile.gettempdir(), f"{type(self).__name__}.{place}.lock")
            lock = os.open(claim, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                break
        self.place, self._lock = place, lock
        if left := claim.read_text():
            kill(lambda: all_of(Path(left)))
            self._tidy_up()
        claim.write_text(str(self.root))

    def _spawn(self, name: str, *command: str) -> None:
        program = shutil.which(command[0], path=search_path()) or command[0]
        with (self.root / f"{name}.out").open("ab") as out:
            self._started[name] = subprocess.Popen(
                [program, *command[1:]],
                cwd=self.root,
                env=self.env | DAEMON_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _terminate(self, name: str) -> None:
        daemon = self._started.pop(name)
        daemon.terminate()
        daemon.wait(30)

    def _wait(self, ready: Callable[[], object], what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                logs = [f"{path}:\n{path.read_text(errors='replace')[-2000:]}" for path in self.root.glob("*.out")]
                raise TimeoutError("\n".join([f"waited in vain for {what}", *logs]))
            time.sleep(0.05)


class OneHostSlurm(Daemons):
    """Started by `start`, ended by `stop`; `env` lets commands find it; `limits` tells what limits the memory."""

    def __init__(self, root: Path, limits: str = "") -> None:
        super().__init__(root, {"SLURM_CONF": str(root / "slurm.conf")})
        self.limits = limits or ("cgroup" if can_limit_by_cgroup() else "linuxproc")
        self._controller_port, self._accounting_port, self._database_port, *self._node_ports = free_ports(3 + NODES)

    @property
    def nodes(self) -> list[str]:
        """Names, known once it has a place; they are those of cgroups too, so no other Slurm here has the same."""
        return [f"n{NODES * (self.place - 1) + number}" for number in range(1, NODES + 1)]

    def start(self) -> None:
        self._claim()
        self.root.chmod(0o755)
        (self.root / "state").mkdir()
        self._write_conf()
        self._start_munge()
        self._start_database()
        self._spawn("slurmdbd", "slurmdbd", "-D")
        self._wait(lambda: self.run("sacctmgr", "--immediate", "add", "cluster", "tests"), "slurmdbd")
        if not self._start_cluster():  # cgroups are there, but not as this Slurm wants them
            self.limits = "linuxproc"
            self._write_conf()
            self.stop_controller()
            for node in self.nodes:
                self.kill_node(node)
            self._start_cluster()

    def stop_controller(self) -> None:
        """End slurmctld, as for an update."""
        self._terminate("slurmctld")

    def start_controller(self) -> None:
        """Start slurmctld again; it knows its jobs."""
        self._spawn("slurmctld", "slurmctld", "-D")
        self._wait(lambda: "UP" in self.run("scontrol", "ping"), "slurmctld")

    def kill_node(self, node: str) -> None:
        """Let a node crash with all that runs on it; Slurm notices after some time."""
        kill(lambda: relatives(self._on(node)))
        self._started.pop(node).wait()

    def start_node(self, node: str) -> None:
        """Start a node's slurmd again, and wait until Slurm knows."""
        start = time.strftime("%Y-%m-%dT%H:%M:%S")
        self._spawn(node, "slurmd", "-D", "-N", node)
        self._wait(lambda: self._registered(node) >= start and "down" not in self.node_state(node), f"node {node}")

    def node_state(self, node: str) -> str:
        """Return idle, mixed, allocated, down, ... (with * if the node does not answer)."""
        return self.run("sinfo", "--noheader", f"--nodes={node}", "--partition=shortq", "--format=%T").strip()

    @contextlib.contextmanager
    def submit_limit(self, jobs: int) -> Iterator[None]:
        """Let the user have at most so many jobs, waiting or running."""
        self._limit_submissions(str(jobs))
        try:
            yield
        finally:
            self._limit_submissions("")

    def queue(self) -> list[str]:
        """Return the ids of the jobs in the queue."""
        return self.run("squeue", "--noheader", "--format=%i").split()

    def state(self, job: str) -> str:
        """Return the state of a job, long gone or not; "" if Slurm does not know it (yet)."""
        for command in (
            ("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T"),
            ("sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={job}", "--format=State"),
        ):
            if words := self.run(*command).split():
                return words[0]  # sacct says "CANCELLED by 0"
        return ""

    @contextlib.contextmanager
    def default_place(self) -> Iterator[None]:
        """Let commands find it without SLURM_CONF, by links in /etc/slurm."""
        folder = Path("/etc/slurm")
        folder.mkdir(exist_ok=True)
        links = [folder / name for name in ("slurm.conf", "cgroup.conf")]
        for link in links:
            if link.is_symlink() or link.exists():
                raise FileExistsError(link)
        try:
            for link in links:
                link.symlink_to(self.root / link.name)
            yield
        finally:
            for link in links:
                link.unlink(missing_ok=True)

    def _limit_submissions(self, jobs: str) -> None:
        """Set the user's limit, or remove it by "", and wait until slurmctld knows."""
        self._succeed("sacctmgr", "--immediate", "modify", "user", "root", "set", f"MaxSubmitJobs={jobs or -1}")
        known = re.compile(rf"UserName=root\(.*MaxSubmitJobs={jobs}[( ]", re.DOTALL)
        asked = ("scontrol", "show", "assoc_mgr", "users=root", "flags=assoc")
        self._wait(lambda: known.search(self.run(*asked)), f"MaxSubmitJobs={jobs}")

    def _tidy_up(self) -> None:
        for node in self.nodes:
            remove_cgroups(f"slurm_{node}")

    def _start_cluster(self) -> bool:
        """Return whether all nodes work; False if they refuse to limit by cgroups."""
        self._spawn("slurmctld", "slurmctld", "-D")
        for node in self.nodes:
            self._spawn(node, "slurmd", "-D", "-N", node)

        def died() -> bool:
            return self.limits == "cgroup" and any(self._started[node].poll() is not None for node in self.nodes)

        self._wait(
            lambda: died() or all(self.node_state(node) == "idle" for node in self.nodes), "slurmctld and slurmd"
        )
        return not died()

    def _write_conf(self) -> None:
        ports = {"accounting_port": self._accounting_port, "database_port": self._database_port}
        # Slurm listens on its host's address alone, or on all: on all if the host does not know its address
        address = own_address()
        listen = "CommunicationParameters=NoInAddrAny,NoCtldInAddrAny" if address else ""
        address = address or "127.0.0.1"
        nodes = [
            f"NodeName={node} NodeHostname={node} NodeAddr={address} Port={port}"
            for node, port in zip(self.nodes, self._node_ports, strict=True)
        ]
        text = CONF.format(
            root=self.root,
            address=address,
            listen=listen,
            controller_port=self._controller_port,
            limits=LIMITS[self.limits],
            nodes="\n".join(nodes),
            names=",".join(self.nodes),
            **ports,
        )
        (self.root / "slurm.conf").write_text(text)
        # version 1 even where there is neither: with linuxproc nothing of it is used
        plugin = "autodetect" if self.limits == "cgroup" else "cgroup/v1"
        (self.root / "cgroup.conf").write_text(CGROUP_CONF.format(plugin=plugin))
        accounting = self.root / "slurmdbd.conf"
        accounting.write_text(ACCOUNTING_CONF.format(root=self.root, **ports))
        accounting.chmod(0o600)

    def _start_munge(self) -> None:
        key = self.root / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        places = [f"--{what}={self.root}/munge.{what.split('-')[0]}" for what in ("pid-file", "log-file", "seed-file")]
        munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.root}/munge.sock", *places]
        self._spawn("munged", *munge)
        self._wait((self.root / "munge.sock").exists, "munged")

    def _start_database(self) -> None:
        folder, temporary = self.root / "database", self.root / "database.tmp"
        temporary.mkdir()  # its own: a server that starts removes the temporary tables that it finds, of others too
        common = ["--no-defaults", "--user=root", f"--datadir={folder}", f"--tmpdir={temporary}"]
        fast = ["--innodb-flush-log-at-trx-commit=0", "--innodb-lock-wait-timeout=900", "--innodb-buffer-pool-size=64M"]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        self._succeed(*install, "--skip-name-resolve")
        (self.root / "database.sql").write_text(DATABASE_SETUP)
        self._spawn(
            "mariadbd",
            "mariadbd",
            *common,
            *fast,
            f"--socket={folder}/socket",
            f"--pid-file={folder}/pid",
            "--bind-address=127.0.0.1",
            f"--port={self._database_port}",
            f"--init-file={self.root}/database.sql",
        )
        self._wait((folder / "pid").exists, "mariadbd")

    def _registered(self, node: str) -> str:
        """Return when the slurmd that Slurm knows for a node started."""
        said = re.search(r"SlurmdStartTime=(\d\S*)", self.run("scontrol", "show", "node", node))
        return said[1] if said else ""

    def _on(self, node: str) -> list[int]:
        """Return a node's slurmd and slurmstepds, which must not tell of the jobs' end, then the processes of jobs."""
        log, name = self.root / f"slurmd-{node}.log", f"SLURMD_NODENAME={node}"
        everything = processes()
        daemons = [process for process in everything if has_open(process, log)]
        return daemons + [p for p in everything if p not in daemons and belongs(p, self.root) and name in variables(p)]


def can_limit_by_cgroup() -> bool:
    """Whether memory can be limited here by cgroups, of version 1 (each controller apart) or 2."""
    one = [CGROUPS / controller for controller in ("memory", "freezer", "cpuacct")]
    two = CGROUPS / "cgroup.subtree_control"
    if two.exists():
        with contextlib.suppress(OSError):
            two.write_text("+memory")
        if "memory" not in two.read_text().split():
            return False
    elif not all((controller / "tasks").exists() for controller in one):
        return False
    for parent in [CGROUPS] if two.exists() else one:
        probe = parent / f"probe_{os.getpid()}"
        try:
            probe.mkdir()
            probe.rmdir()
        except OSError:
            return False
    return True


def remove_cgroups(name: str) -> None:
    """Remove the empty cgroups that a killed slurmd leaves."""
    for top in (*CGROUPS.glob(f"*/{name}"), *CGROUPS.glob(name)):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def processes() -> list[int]:
    """Return the ids of all processes but this one."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and int(path.name) != os.getpid()]


def relatives(parents: Sequence[int]) -> list[int]:
    """Return processes, with all that descend from them at the end."""
    found = list(parents)
    children: dict[int, list[int]] = {}
    for process in processes():
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{process}/stat").read_text()
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(process)
    for process in found:
        found += [child for child in children.get(process, []) if child not in found]
    return found


def all_of(folder: Path) -> list[int]:
    """Return the processes that belong to a folder, with all that descend from them."""
    return relatives([process for process in processes() if belongs(process, folder)])


def belongs(process: int, folder: Path) -> bool:
    """Whether a process has a file of a folder open, or was started with a variable that leads to the folder."""
    return has_open(process, folder) or any(
        Path(value).is_relative_to(folder) for value in (pair.partition("=")[2] for pair in variables(process))
    )


def variables(process: int) -> list[str]:
    """Return the variables NAME=value that a process was started with."""
    try:
        return Path(f"/proc/{process}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return []


def has_open(process: int, path: Path) -> bool:
    """Whether a process has a file open that is the path or below."""
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                if link.readlink().is_relative_to(path):
                    return True
    return False


def kill(which: Callable[[], Sequence[int]], seconds: float = 20) -> None:
    """Kill processes, the first ones first, until none is left."""
    end = time.monotonic() + seconds
    while left := which():
        if time.monotonic() > end:
            raise TimeoutError(f"still there: processes {left}")
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def own_address() -> str:
    """Return the address of this machine's name, often 127.0.0.1; "" if it has none that works."""
    try:
        address = socket.gethostbyname(socket.gethostname())
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        return ""
    return address


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
