"""The table of schedulers, what their commands print, and how one is chosen."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

from snakemake_executor_plugin_divvy.schedulers import (
    Here,
    Scheduler,
    SchedulerError,
    State,
    States,
    Unknown,
    memory_in,
    run,
    time_hm,
)


def grid_engine_queue(text: str) -> States:
    """Return the states in what `qstat -xml` prints, by Grid Engine's letters (r, qw, Eqw …)."""
    try:
        jobs = list(ElementTree.fromstring(text).iter("job_list"))
    except ElementTree.ParseError as error:
        raise SchedulerError(f"not the XML that was expected of qstat: {error}") from error
    return {job.findtext("JB_job_number", ""): State(job.findtext("state", "")) for job in jobs}


def grid_engine_accounts(text: str) -> States:
    """Return the ends of jobs in lines of the accounting file: field 6 is the id, 12 `failed`, 13 the exit status."""
    states = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 12 and fields[5].isdigit():
            failed, status = fields[11], fields[12]
            name = "COMPLETED" if (failed, status) == ("0", "0") else "FAILED"
            states[fields[5]] = State(name, "" if name == "COMPLETED" else f"failed {failed}, exit status {status}")
    return states


def pbs_jobs(text: str) -> States:
    """Return the states in what `qstat -f` prints; ids are the numbers before the server's name."""
    states = {}
    for block in re.split(r"^Job Id: ", text.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
        values = dict(re.findall(r"^\s+(\w+) = (.*)$", block, re.MULTILINE))
        status = values.get("Exit_status", values.get("exit_status", ""))
        reason = ", ".join(filter(None, [f"exit status {status}" if status else "", values.get("comment", "")]))
        states[block.partition(".")[0].strip()] = State(values.get("job_state", ""), reason)
    return states


ENDED_BY_SLURM = "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT"
PBS_REASONS = {
    r"exit status (271|143)\b.*walltime|walltime.*exceeded|exit status -(11|29)\b": "TIMEOUT",
    r"mem.*exceeded|exit status -(10|27|28)\b": "OUT_OF_MEMORY",
    r"exit status (271|265)\b": "CANCELLED",
    r"exit status 0\b": "COMPLETED",
    r"": "FAILED",
}

SCHEDULERS: dict[str, Scheduler] = {
    "here": Here("here", commands=(".", "source", "sh", "bash")),
    "slurm": Scheduler(
        "slurm",
        commands=("sbatch",),
        job_id=r"^(?:Submitted batch job )?(\d+)",
        query=("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", "--jobs", "IDS,"),
        forgotten="Invalid job id",
        accounting=("sacct", "-X", "-n", "-P", "--format=JobIDRaw,State,Reason", "--jobs", "IDS,"),
        final=frozenset(ENDED_BY_SLURM.split()),
        pending="^(PENDING|REQUEUE|SPECIAL_EXIT)",
        stuck="Partition(Time|Node)Limit|DependencyNeverSatisfied|BadConstraints|Held|held|Invalid|Assoc.*PerJob|"
        "QOS.*(PerJob|NotAllowed)|NotAllowed|ReservationDeleted",
        cancel=("scancel", "IDS"),
    ),
    "grid_engine": Scheduler(
        "grid_engine",
        commands=("qsub",),
        job_id=r"(?:^|[Jj]ob(?:-array)? )(\d+)",
        query=("qstat", "-xml", "-u", "USER"),
        states_in=grid_engine_queue,
        accounting=("sh", "-c", 'tail -n 100000 "$SGE_ROOT/${SGE_CELL:-default}/common/accounting"'),
        accounts_in=grid_engine_accounts,
        final=frozenset(["COMPLETED", "FAILED"]),
        pending="^[Rh]*q",
        stuck="^E",
        reasons={"exit status (137|265)": "KILLED", "exit status 152": "TIMEOUT"},
        cancel=("qdel", "IDS,"),
        memory=memory_in("M"),
    ),
    "lsf": Scheduler(
        "lsf",
        commands=("bsub",),
        job_id=r"Job <(\d+)>",
        query=("bjobs", "-a", "-noheader", "-o", "jobid stat exit_reason pend_reason delimiter='|'", "IDS"),
        forgotten="is not found",
        final=frozenset(["DONE", "EXIT"]),
        pending="^(PEND|PSUSP|WAIT)",
        stuck="^PSUSP",
        reasons={
            "TERM_(MEMLIMIT|SWAP)": "OUT_OF_MEMORY",
            "TERM_(RUN|CPU)LIMIT": "TIMEOUT",
            "TERM_(FORCE_)?(OWNER|ADMIN)": "CANCELLED",
            "TERM_(ZOMBIE|UNKNOWN_HOST|RC)|host": "NODE_FAIL",
            "TERM_PREEMPT": "PREEMPTED",
            "^EXIT": "FAILED",
            "^DONE": "COMPLETED",
        },
        cancel=("bkill", "IDS"),
        memory=memory_in("MB"),
        time=time_hm,
    ),
    "pbs": Scheduler(  # OpenPBS and PBS Professional
        "pbs",
        commands=("qsub",),
        job_id=r"^(\d+)",
        query=("qstat", "-x", "-f", "IDS"),
        states_in=pbs_jobs,
        forgotten="Unknown Job Id",
        final=frozenset("FX"),
        pending="^[QHW]",
        stuck="^H|Not Running: .*(never|exceeds|too)",
        reasons=PBS_REASONS,
        cancel=("qdel", "IDS"),
        memory=memory_in("mb"),
    ),
    "torque": Scheduler(
        "torque",
        commands=("qsub",),
        job_id=r"^(\d+)",
        query=("qstat", "-f", "IDS"),
        states_in=pbs_jobs,
        forgotten="Unknown Job Id",
        final=frozenset("C"),
        pending="^[QHW]",
        stuck="^H",
        reasons=PBS_REASONS,
        cancel=("qdel", "IDS"),
        memory=memory_in("mb"),
    ),
    "unknown": Unknown("unknown", commands=(), job_id=r"(\d[\w.-]*|\S+)"),
}


def choose(name: str | None, submission_command: str) -> Scheduler:
    """Return the scheduler of that name or, without one, of the first word of the submission command.

    A command that is of no scheduler gives the one that is watched by exit-status files alone.
    """
    if name:
        if name not in SCHEDULERS:
            raise SchedulerError(f"no scheduler {name!r}; choices: {', '.join(SCHEDULERS)}")
        return SCHEDULERS[name]
    word = Path((submission_command.split() or [""])[0]).name or "."
    if word == "qsub":
        return SCHEDULERS[_owner_of_qsub()]
    found = [scheduler for scheduler in SCHEDULERS.values() if word in scheduler.commands]
    return (found or [SCHEDULERS["unknown"]])[0]


def _owner_of_qsub() -> str:
    """Three schedulers submit by qsub: only Grid Engine has qconf, and only Torque's qstat lacks a pbs_version."""
    if shutil.which("qconf"):
        return "grid_engine"
    try:
        version = run(["qstat", "--version"])
    except SchedulerError:
        return "pbs"
    return "pbs" if "pbs" in (version.stdout + version.stderr).lower() else "torque"
