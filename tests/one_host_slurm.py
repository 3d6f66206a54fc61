"""A real Slurm on this machine, for the time of the tests: two virtual nodes, loopback only, state in one folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
NODES = ("n1", "n2")
CONF = """\
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
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
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ReturnToService=2
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=300
SchedulerParameters=sched_interval=2,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=DEFAULT CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
{nodes}
PartitionName=DEFAULT State=UP DefMemPerCPU=500 Nodes={names}
PartitionName=shortq Default=YES MaxTime=02:00:00 DefaultTime=00:10:00
PartitionName=longq MaxTime=7-00:00:00 DefaultTime=01:00:00
"""


def unavailable() -> str:
    """Why no Slurm can be started here; "" if one can."""
    missing = [command for command in COMMANDS if not shutil.which(command, path=search_path())]
    if missing:
        return f"not on this machine: {', '.join(missing)} (Debian: slurmctld slurmd slurm-client munge)"
    return "" if os.geteuid() == 0 else "only root can start it"


def search_path() -> str:
    """PATH with the folders of system programs."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class OneHostSlurm:
    """Started by `start`, ended by `stop`; `env` lets commands find it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {"SLURM_CONF": str(root / "slurm.conf"), "PATH": search_path()}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        self.root.chmod(0o755)
        (self.root / "state").mkdir()
        self._write_conf()
        key = self.root / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        places = [f"--{what}={self.root}/munge.{what.split('-')[0]}" for what in ("pid-file", "log-file", "seed-file")]
        munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.root}/munge.sock", *places]
        self._spawn(munge)
        self._wait(lambda: (self.root / "munge.sock").exists(), "munged")
        self._spawn(["slurmctld", "-D"])
        for node in NODES:
            self._spawn(["slurmd", "-D", "-N", node])
        self._wait(lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split().count("idle") >= len(NODES), "slurmd")

    def stop(self) -> None:
        self.run("scancel", "--state=RUNNING")
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def run(self, *command: str) -> str:
        """Run a command of Slurm; return what it printed, "" on failure."""
        done = subprocess.run(
            command,
            env=os.environ | self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    def queue(self) -> list[str]:
        """Return the ids of the jobs in the queue."""
        return self.run("squeue", "--noheader", "--format=%i").split()

    def _write_conf(self) -> None:
        ports = free_ports(1 + len(NODES))
        nodes = [
            f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={port}"
            for node, port in zip(NODES, ports[1:], strict=True)
        ]
        text = CONF.format(root=self.root, controller_port=ports[0], nodes="\n".join(nodes), names=",".join(NODES))
        (self.root / "slurm.conf").write_text(text)

    def _spawn(self, command: Sequence[str]) -> None:
        with (self.root / f"{Path(command[0]).name}.out").open("ab") as out:
            env = os.environ | self.env
            program = shutil.which(command[0], path=search_path()) or command[0]
            self._processes.append(
                subprocess.Popen(
                    [program, *command[1:]],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
            )

    def _wait(self, ready, what: str) -> None:
        end = time.monotonic() + 60
        while not ready():
            if time.monotonic() > end:
                logs = "\n".join(f"{path}:\n{path.read_text()[-2000:]}" for path in self.root.glob("*.out"))
                raise TimeoutError(f"{what} did not start:\n{logs}")
            time.sleep(0.1)


def free_ports(number: int) -> list[int]:
    """Return ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
