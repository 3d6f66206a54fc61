"""A run of the chaos tests: a controller of a workflow on a real Slurm, the faults it meets, and how it ends."""

import contextlib
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_workflow import Note, count_starts
from clusters import QUICK, SITES, intercept
from one_host_slurm import OneHostSlurm
from plugin_helpers import environment

STALL_SECONDS = 300  # without any news from jobs, after which a run has failed
RESTARTS = 8  # of controllers that ended by themselves before all was done
REPORTED = 10.0  # seconds after which the end of a job has been written to the disk
TIMED_OUT = "Socket timed out on send/recv operation"
# half of the calls fail while the file is there, and half of these do what they should before
UNRELIABLE = (
    'if [ ! -e {file} ] || [ $((RANDOM % 2)) = 0 ]; then real "$@"; exit; fi',
    'if [ $((RANDOM % 2)) = 0 ]; then real "$@" > /dev/null; fi',
    f"echo '{{name}}: error: {TIMED_OUT}' >&2",
    "exit 1",
)
CALL = ["snakemake", "--executor", "divvy", "--jobs", "300", "--keep-going", "--rerun-incomplete", *QUICK]
PACKAGE = ["--divvy-config", str(SITES), "--divvy-compute-package", "slurm"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, after how many starts of jobs and then how many seconds, and for how long."""

    kind: str
    after: int
    delay: float
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds} s" if self.seconds else ""
        return f"{self.kind}{lasting}, {self.delay} s after start {self.after}"


class Outages:
    """Lets slurmctld be away for all runs on it, as long as any of them wants that."""

    def __init__(self, slurm: OneHostSlurm) -> None:
        self.slurm = slurm
        self.number = 0
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Let slurmctld be away."""
        with self.lock:
            self.number += 1
            if self.number == 1:
                self.slurm.stop_controller()
        try:
            yield
        finally:
            with self.lock:
                self.number -= 1
                if self.number == 0:
                    self.slurm.start_controller()


@dataclass
class Run:
    """A workflow on its way; `work` is its working folder on a small disk, `notes` what is kept of it elsewhere."""

    outages: Outages
    work: Path
    notes: Path
    chance: random.Random
    controller: subprocess.Popen[bytes] | None = None
    controllers: int = 0
    began: float = 0.0  # when the last controller did
    happened: list[str] = field(default_factory=list)
    canceled: dict[str, float] = field(default_factory=dict)  # when
    full: list[tuple[float, float]] = field(default_factory=list)
    lasting: list[threading.Thread] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Note what happened, in the controller's log too."""
        self.happened.append(f"{time.time():.2f} {what}")
        with (self.notes / "controller.log").open("a") as log:
            log.write(f"--- {self.happened[-1]}\n")

    def call(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in the working folder."""
        slurm = self.outages.slurm
        with (self.notes / "controller.log").open("ab") as log:
            path = f"{self.notes}/bin:{environment()['PATH']}:{slurm.env['PATH']}"
            env = environment(**slurm.env | {"PATH": path})
            null = subprocess.DEVNULL
            return subprocess.Popen(command, cwd=self.work, env=env, stdin=null, stdout=log, stderr=log)

    def go_through(self, schedule: Sequence[Fault]) -> list[str]:
        """Run the workflow while faults happen; return what is wrong with the end."""
        for name in ("sbatch", "squeue", "scancel", "sacct"):
            lines = [line.format(file=self.notes / "timeouts", name=name) for line in UNRELIABLE]
            intercept(self.notes, name, *lines)
        self.start()
        for fault in schedule:
            if not self.wait_for(fault.after):
                self.note(f"too late: {fault}")
                break
            time.sleep(fault.delay)
            self.suffer(fault)
        return self.finish()

    def start(self) -> None:
        """Start a controller, the first one or another after one that was killed."""
        shutil.rmtree(self.work / ".snakemake" / "locks", ignore_errors=True)  # as `snakemake --unlock` does
        self.controllers += 1
        self.began = time.time()
        self.note("start of a controller")
        self.controller = self.call(*CALL, *PACKAGE)

    def wait_for(self, starts: int) -> bool:
        """Wait until so many jobs have started; return whether it comes to that."""
        while count_starts(self.notes) < starts:
            if self.controller.poll() is not None and not self.go_on():
                return False
            if self.has_stalled():
                return False
            time.sleep(0.3)
        return self.controller.poll() is None or self.go_on()

    def has_stalled(self) -> bool:
        """Whether nothing has happened for so long that nothing will."""
        last = max([path.stat().st_mtime for path in (self.notes / "records").iterdir()], default=0)
        return time.time() - max(last, self.began) > STALL_SECONDS

    def go_on(self) -> bool:
        """Start another controller after one that has ended by itself; return False if all is done."""
        status = self.controller.returncode
        self.note(f"the controller has ended with {status}")
        if status == 0 or self.controllers > RESTARTS:
            return False
        self.end_lasting()
        self.start()
        return True

    # --- faults

    def suffer(self, fault: Fault) -> None:
        """Let a fault happen; one that lasts ends by itself."""
        self.note(str(fault))
        if fault.kind == "kill":
            self.kill(fault.seconds)
        elif fault.kind == "cancel":
            self.cancel()
        else:
            fault_of = {
                "outage": self.lose_slurmctld,
                "full disk": self.fill_disk,
                "timeouts": self.let_time_out,
            }
            self.lasting.append(threading.Thread(target=fault_of[fault.kind], args=[fault.seconds]))
            self.lasting[-1].start()

    def kill(self, seconds: float) -> None:
        """Kill the controller, and start another some time later."""
        self.controller.send_signal(signal.SIGKILL)
        self.controller.wait()
        time.sleep(seconds)
        self.start()

    def lose_slurmctld(self, seconds: float) -> None:
        """Let slurmctld be away for some time."""
        with self.outages.one():
            time.sleep(seconds)
        self.note("end of the outage")

    def cancel(self) -> None:
        """Cancel a job of the run behind its back, if there is one soon."""
        end = time.monotonic() + 10
        while not (jobs := self.queue()) and time.monotonic() < end:
            time.sleep(0.2)
        if jobs:
            job = self.chance.choice(jobs)
            self.canceled[job] = time.time()
            self.outages.slurm.run("scancel", job)
        self.note(f"canceled job {job}" if jobs else "no job to cancel")

    def fill_disk(self, seconds: float) -> None:
        """Fill the disk for some time, and whatever becomes free on it meanwhile."""
        begin = time.time()
        filler = self.work / f"filler.{begin}"
        with filler.open("wb", buffering=0) as file:
            while time.time() < begin + seconds:
                with contextlib.suppress(OSError):
                    while file.write(bytes(4096)):
                        pass
                time.sleep(0.02)
        filler.unlink()
        self.full.append((begin, time.time()))
        self.note("end of the full disk")

    def let_time_out(self, seconds: float) -> None:
        """Let Slurm's commands fail for some time, now and then."""
        (self.notes / "timeouts").touch()
        time.sleep(seconds)
        (self.notes / "timeouts").unlink(missing_ok=True)
        self.note("end of the timeouts")

    def end_lasting(self) -> None:
        """Wait until faults that last are over."""
        for thread in self.lasting:
            thread.join()
        self.lasting.clear()

    # --- the end

    def finish(self) -> list[str]:
        """Let the run end, by a last one without faults if it has to be; return what is wrong with that."""
        self.end_lasting()
        for last in (False, True):
            while self.controller.poll() is None:
                if self.has_stalled():
                    self.controller.kill()
                    self.controller.wait()
                    return [f"nothing happened for {STALL_SECONDS} s"]
                time.sleep(0.3)
            status = self.controller.returncode
            self.note(f"the controller has ended with {status}")
            if status == 0:
                return []
            if not last:
                self.start()
        return [f"the last run, without faults, ended with {status}"]

    def queue(self) -> list[str] | None:
        """Return the ids of this run's jobs in Slurm's queue; None if Slurm does not answer."""
        title, *lines = self.outages.slurm.run("squeue", "--format=%i|%Z").splitlines() or [""]
        jobs = [job for job, _, folder in (line.partition("|") for line in lines) if folder == str(self.work)]
        return jobs if title else None

    def find_forgotten(self, seconds: float = 60) -> list[str]:
        """Return which jobs are still in the queue some time after the end, and cancel them."""
        end = time.monotonic() + seconds
        while (jobs := self.queue()) != [] and time.monotonic() < end:
            time.sleep(0.2)
        if jobs is None:
            return ["it is unknown what is left in the queue: squeue does not answer"]
        if jobs:
            self.outages.slurm.run("scancel", *jobs)
        return [f"forgotten in the queue: job {job}" for job in jobs]

    def is_excused(self, end: Note) -> bool:
        """Whether a job's end may not have been reported: it was canceled at that time, or the disk was full."""
        is_full = any(begin - REPORTED < end.time < over for begin, over in self.full)
        return is_full or end.time > self.canceled.get(end.slurm_id, float("inf")) - REPORTED
