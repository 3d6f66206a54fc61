"""The table of schedulers, what their commands print, and how one is chosen."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

from snakemake_executor_plugin_divvy.scheduler import (
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


# fields 6, 12 `failed`, 13 and 14 of the accounting file
ACCOUNT = re.compile(r"(?:[^:]*:){5}(?P<id>\d+):(?:[^:]*:){5}(?P<failed>\d+):(?P<status>\d+):(?P<seconds>\d+)")


def grid_engine_accounts(text: str) -> States:
    """Return the ends of jobs in lines of the accounting file.

    `failed` 37 is said of all limits alike: the requests, with h_rt in seconds, tell which one it was.
    """
    states = {}
    for line in text.splitlines():
        if found := ACCOUNT.match(line):
            job, failed, status, seconds = found.groups()
            limit = re.search(r"[ ,]h_rt=(\d+)", line)
            in_time = not limit or int(seconds) < int(limit[1])
            over = "h_vmem" if in_time and "h_vmem=" in line else "h_rt"
            reason = f"failed {failed}, exit status {status}" + (f", over {over}" if failed == "37" else "")
            well = (failed, status) == ("0", "0")
            states[job] = State("COMPLETED") if well else State("FAILED", reason)
    return states


def lsf_jobs(text: str) -> States:
    """Return the states in lines `id|state|exit code|reason of the end|reason to wait`, in which `-` is nothing.

    >>> lsf_jobs("7|EXIT|130|TERM_OWNER: job killed by owner|-")
    {'7': State(name='EXIT', reason='exit status 130, TERM_OWNER: job killed by owner')}
    """
    states = {}
    for line in text.splitlines():
        job, *fields = (field.strip(" ;") for field in line.split("|"))
        if len(fields) > 1:
            state, code, *reasons = fields
            said = [f"exit status {code}" if code.isdigit() else "-", *reasons]
            states[job] = State(state, ", ".join(reason for reason in said if reason not in ("", "-")))
    return states


def pbs_jobs(text: str) -> States:
    """Return the states in what `qstat -f` prints, by whole ids (1234.server) and by their numbers alone."""
    states: States = {}
    for block in re.split(r"^Job Id: ", text.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
        job = block.partition("\n")[0].strip()
        values = dict(re.findall(r"^\s+([\w.]+) = (.*)$", block, re.MULTILINE))
        status = values.get("Exit_status", values.get("exit_status", ""))
        used, limit = values.get("resources_used.walltime", ""), values.get("Resource_List.walltime", "")
        over = status not in ("", "0") and limit and (len(used), used) >= (len(limit), limit)  # both are HH:MM:SS
        reasons = [f"exit status {status}" if status else "", "over walltime" if over else "", values.get("comment")]
        state = State(values.get("job_state", ""), ", ".join(filter(None, reasons)))
        states |= {job: state, job.partition(".")[0]: state}
    return states


ENDED_BY_SLURM = "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT"
PBS_ID = r"^(\d+(?:\.[\w.-]+)?)\s*$"  # alone on its line: a site's qsub may print notes before it

# from patterns of state and reason to the words that messages use; the first that is found counts
GRID_ENGINE_REASONS = {
    "over h_vmem": "OUT_OF_MEMORY",
    "over h_rt": "TIMEOUT",
    r"failed 19\b": "NODE_FAIL",  # what watches over the job died with it
    r"exit status (137|143)\b": "KILLED",
}
LSF_REASONS = {
    "TERM_(MEMLIMIT|SWAP)": "OUT_OF_MEMORY",
    "TERM_(RUNLIMIT|CPULIMIT|DEADLINE|WINDOW|REMOVE_HUNG_JOB)": "TIMEOUT",
    r"TERM_\w*(OWNER|ADMIN|BUCKET_KILL)": "CANCELLED",
    "ZOMBI|TERM_RC": "NODE_FAIL",
    "TERM_PREEMPT": "PREEMPTED",
    r"TERM_EXTERNAL_SIGNAL|exit status (130|137|143)\b": "KILLED",
    "^EXIT": "FAILED",
    "^DONE": "COMPLETED",
}
ANY_PBS_REASONS = {
    "over walltime": "TIMEOUT",
    r"exit status -[456]\b": "NODE_FAIL",  # the node went down, and ended the job when it came up again
    "[Pp]reempt": "PREEMPTED",
    r"and terminated|exit status (271|143)\b": "CANCELLED",
    r"exit status (265|137)\b": "KILLED",
    r"exit status 0\b": "COMPLETED",
    "": "FAILED",
}
PBS_REASONS = {
    r"exceeded resource (walltime|cput)|exit status -2[89]\b": "TIMEOUT",
    r"exceeded resource v?mem|exit status -2[67]\b": "OUT_OF_MEMORY",
    r"exit status -(14|20)\b": "NODE_FAIL",
    **ANY_PBS_REASONS,
}
TORQUE_REASONS = {r"exit status -1[12]\b": "TIMEOUT", r"exit status -10\b": "OUT_OF_MEMORY", **ANY_PBS_REASONS}

SCHEDULERS: dict[str, Scheduler] = {
    "here": Here("here", commands=(".", "source", "sh", "bash")),
    "slurm": Scheduler(
        "slurm",
        commands=("sbatch",),
        job_id=r"^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?\s*$",
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
        job_id=r"^(?:Your job )?(\d+)(?: \(.*submitted)?\s*$",
        query=("qstat", "-xml", "-u", "USER"),
        states_in=grid_engine_queue,
        accounting=("sh", "-c", 'tail -n 100000 "$SGE_ROOT/${SGE_CELL:-default}/common/accounting"'),
        accounts_in=grid_engine_accounts,
        final=frozenset(["COMPLETED", "FAILED"]),
        pending="^[^E]*q",
        stuck="^h|E",
        explain=("qstat", "-j", "IDS,"),
        explanation=r"error reason.*\]:? *(?:error: )?(.*)",
        reasons=GRID_ENGINE_REASONS,
        cancel=("qdel", "IDS,"),
        memory=memory_in("M"),
    ),
    "lsf": Scheduler(
        "lsf",
        commands=("bsub",),
        job_id=r"Job <(\d+)> is submitted",
        query=("bjobs", "-a", "-noheader", "-o", "jobid stat exit_code exit_reason pend_reason delimiter='|'", "IDS"),
        states_in=lsf_jobs,
        forgotten="is not found|No (unfinished |matching )?job found",
        final=frozenset(["DONE", "EXIT", "ZOMBI"]),
        pending="^(PEND|PSUSP|WAIT|FWD_PEND)",
        stuck="^(PSUSP|UNKWN)|no suitable hosts",
        reasons=LSF_REASONS,
        cancel=("bkill", "IDS"),
        memory=memory_in("MB"),
        time=time_hm,
    ),
    "pbs": Scheduler(  # OpenPBS and PBS Professional
        "pbs",
        commands=("qsub",),
        job_id=PBS_ID,
        query=("qstat", "-f", "IDS"),
        states_in=pbs_jobs,
        forgotten="Unknown Job Id|Job has finished",
        accounting=("qstat", "-x", "-f", "IDS"),  # fails altogether where no history is kept
        accounts_in=pbs_jobs,
        final=frozenset("FX"),
        pending="^[QHTW]",
        stuck="^H|[Nn]ever [Rr]un",
        reasons=PBS_REASONS,
        cancel=("qdel", "IDS"),
        memory=memory_in("mb"),
    ),
    "torque": Scheduler(
        "torque",
        commands=("qsub",),
        job_id=PBS_ID,
        query=("qstat", "-f", "IDS"),
        states_in=pbs_jobs,
        forgotten="Unknown Job Id",
        final=frozenset("C"),
        pending="^[QHTW]",
        stuck="^H",
        reasons=TORQUE_REASONS,
        cancel=("qdel", "IDS"),
        memory=memory_in("mb"),
    ),
    "unknown": Unknown("unknown", commands=(), job_id=r"(\d[\w.-]*|\b(?!.*\d)\S+)"),
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
    """Three schedulers submit by qsub: only Grid Engine has qconf, and only Torque's qstat says `version: 6.1.2`."""
    if shutil.which("qconf"):
        return "grid_engine"
    try:
        said = run(["qstat", "--version"])
    except SchedulerError:
        return "pbs"
    return "torque" if re.search("^version:", said.stdout + said.stderr, re.IGNORECASE | re.MULTILINE) else "pbs"
