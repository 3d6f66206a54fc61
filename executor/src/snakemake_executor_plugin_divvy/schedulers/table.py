"""The table of schedulers, and how one is chosen."""

import re
import shutil
from pathlib import Path

from snakemake_executor_plugin_divvy.schedulers.here import Here
from snakemake_executor_plugin_divvy.schedulers.outputs import (
    read_bjobs,
    read_grid_engine_accounting,
    read_qstat_full,
    read_qstat_xml,
)
from snakemake_executor_plugin_divvy.schedulers.record import (
    Scheduler,
    SchedulerError,
    Unknown,
    format_hm,
    format_with_unit,
    run,
)

ENDED_BY_SLURM = "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED TIMEOUT"
# what the submission commands of PBS and Torque say
PBS_IS_FULL = r"would exceed .*limit on jobs|Maximum number of jobs|exceeds the queue limit"
PBS_IS_AWAY = r"[Cc]onnect|Communication|Premature end|shutting down|[Tt]imed? ?out|busy|End of File|Expired credential"
PBS_REFUSES = r"Unknown (queue|resource)|[Ii]llegal|[Uu]nauthorized|[Ii]nvalid|violates queue|not allowed|would exceed"
HOSTLESS_PATH = r"[\w@%+=./-]+"  # `host:path`, and lists with commas
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
        job_id=r"^(?:Submitted batch job )?(\d+)(?:(?:;| on cluster )(?P<cluster>\S+))?\s*$",
        job_variable="SLURM_JOB_ID",
        clusters="--clusters",
        arrays=r"(^|\s)(-a[\s\d]|--array\b)",
        full=r"(Assoc|QOS)\w*SubmitJob\w*Limit|[Tt]emporarily un(able|available)",
        away=r"Unable to contact slurm|[Tt]imed out|[Cc]onnection|[Cc]ommunication|Zero Bytes|Munge|standby mode|"
        r"Transport endpoint|Unexpected message|[Aa]uthenticat",
        refused=r"[Ii]nvalid|configuration is not available|accounting/QOS policy|than permitted|Memory|not permitted|"
        r"denied|unrecognized option|No partition",
        query=("squeue", "--noheader", "--states=all", "--format=%i|%T|%r", "--user", "USER"),
        accounting=("sacct", "-X", "-n", "-P", "--format=JobIDRaw,State,Reason", "--jobs", "IDS,"),
        final=frozenset(ENDED_BY_SLURM.split()),
        pending="^(PENDING|REQUEUE|SPECIAL_EXIT)",
        stuck="^PENDING.*(Partition(Time|Node)Limit|PartitionConfig|DependencyNeverSatisfied|BadConstraints|[Hh]eld|Invalid"
        "|Assoc.*PerJob|QOS.*(PerJob|NotAllowed)|NotAllowed|ReservationDeleted)",
        cancel=("scancel", "IDS"),
        escapes={"%": "%%"},  # %u, %j … are filled in, in relative paths after the folder has gone before them
    ),
    "grid_engine": Scheduler(
        "grid_engine",
        commands=("qsub",),
        job_id=r"^(?:Your job )?(\d+)(?: \(.*submitted)?\s*$",
        job_variable="JOB_ID",
        arrays=r"(^|\s)-t\s+\d",
        full=r"[Oo]nly \d+ \w*\s*jobs are allowed",
        away=r"commlib|qmaster|getaddrinfo|got (select|select\(\)) ",
        refused=r"job rejected|unknown|[Ii]nvalid|denied|no suitable queues|does not exist",
        query=("qstat", "-xml", "-u", "USER"),
        states_in=read_qstat_xml,
        accounting=("sh", "-c", 'tail -n 100000 "$SGE_ROOT/${SGE_CELL:-default}/common/accounting"'),
        accounts_in=read_grid_engine_accounting,
        final=frozenset(["COMPLETED", "FAILED"]),
        pending="^[^E]*q",
        stuck="^h.*q|E",
        explain=("qstat", "-j", "IDS,"),
        explanation=r"error reason.*\]:? *(?:error: )?(.*)",
        reasons=GRID_ENGINE_REASONS,
        cancel=("qdel", "IDS,"),
        memory=format_with_unit("M"),
        letter_first=True,
        plain_path=HOSTLESS_PATH,
        fills_in=r"\$(HOME|USER|JOB_ID|JOB_NAME|HOSTNAME|TASK_ID)",
    ),
    "lsf": Scheduler(
        "lsf",
        commands=("bsub",),
        job_id=r"Job <(\d+)> is submitted",
        job_variable="LSB_JOBID",
        arrays=r"(^|\s)-J\s+\S*\[",
        full=r"job threshold reached|[Jj]ob limit",
        away=r"LSF is down|not responding|[Cc]onnection|[Cc]ommunication|time ?out|LSF library call|mbatchd",
        refused=r"not submitted|aborted by esub",
        query=("bjobs", "-a", "-noheader", "-o", "jobid stat exit_code exit_reason pend_reason delimiter='|'", "IDS"),
        states_in=read_bjobs,
        forgotten="is not found|No (unfinished |matching )?job found",
        final=frozenset(["DONE", "EXIT", "ZOMBI"]),
        pending="^(PEND|PSUSP|WAIT|FWD_PEND)",
        stuck="^(PSUSP|UNKWN)|no suitable hosts",
        reasons=LSF_REASONS,
        cancel=("bkill", "IDS"),
        memory=format_with_unit("MB"),
        time=format_hm,
        plain_path=r"[\w@+=:,./-]+",  # %J, %I … are filled in
    ),
    "pbs": Scheduler(  # OpenPBS and PBS Professional
        "pbs",
        commands=("qsub",),
        job_id=PBS_ID,
        job_variable="PBS_JOBID",
        arrays=r"(^|\s)-J\s+\d+-",
        full=PBS_IS_FULL,
        away=PBS_IS_AWAY,
        refused=PBS_REFUSES,
        query=("qstat", "-f", "IDS"),
        states_in=read_qstat_full,
        forgotten="Unknown Job Id|Job has finished",
        accounting=("qstat", "-x", "-f", "IDS"),  # fails altogether where no history is kept
        accounts_in=read_qstat_full,
        final=frozenset("FX"),
        pending="^[QHTW]",
        stuck="^H|[Nn]ever [Rr]un",
        reasons=PBS_REASONS,
        cancel=("qdel", "IDS"),
        memory=format_with_unit("mb"),
        letter_first=True,
        plain_path=HOSTLESS_PATH,
    ),
    "torque": Scheduler(
        "torque",
        commands=("qsub",),
        job_id=PBS_ID,
        job_variable="PBS_JOBID",
        arrays=r"(^|\s)-t\s+\d",
        full=PBS_IS_FULL,
        away=PBS_IS_AWAY,
        refused=PBS_REFUSES,
        query=("qstat", "-f", "IDS"),
        states_in=read_qstat_full,
        forgotten="Unknown Job Id",
        final=frozenset("C"),
        pending="^[QHTW]",
        stuck="^H",
        reasons=TORQUE_REASONS,
        cancel=("qdel", "IDS"),
        memory=format_with_unit("mb"),
        letter_first=True,
        longest_name=15,
        plain_path=HOSTLESS_PATH,
    ),
    "unknown": Unknown("unknown", commands=(), job_id=r"(\d[\w.-]*|\b(?!.*\d)\S+)"),
}


def choose_scheduler(name: str | None, submission_command: str) -> Scheduler:
    """Return the scheduler of that name or, if `name` is None, the one that the submission command belongs to.

    A command that belongs to none of them gives `unknown`, whose jobs are watched by their exit-status files alone.
    """
    if name:
        if name not in SCHEDULERS:
            raise SchedulerError(f"no scheduler {name!r}; choices: {', '.join(SCHEDULERS)}")
        return SCHEDULERS[name]
    word = Path((submission_command.split() or [""])[0]).name or "."
    if word == "qsub":
        return SCHEDULERS[_find_owner_of_qsub()]
    found = [scheduler for scheduler in SCHEDULERS.values() if word in scheduler.commands]
    return (found or [SCHEDULERS["unknown"]])[0]


def _find_owner_of_qsub() -> str:
    """Return which of three schedulers qsub belongs to.

    Only Grid Engine has qconf, and only Torque's qstat says `version: 6.1.2`.
    """
    if shutil.which("qconf"):
        return "grid_engine"
    try:
        said = run(["qstat", "--version"])
    except SchedulerError:
        return "pbs"
    return "torque" if re.search("^version:", said.stdout + said.stderr, re.IGNORECASE | re.MULTILINE) else "pbs"
