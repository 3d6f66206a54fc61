"""What is told about jobs: why one has failed, and, at the end of a run, what became of all."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_executor_plugin_divvy.jobscript import read_tail
from snakemake_executor_plugin_divvy.names import name_rule, show_path
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.schedulers import Scheduler
from snakemake_executor_plugin_divvy.schedulers.record import CHUNK, SchedulerError, run
from snakemake_executor_plugin_divvy.submissions import Failure, Submission

BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Ended:
    """The end of one attempt of a job: why it failed ("" if it did not), times in seconds, memory in MB."""

    rule: str
    word: str
    attempt: int
    id: str
    queued: float | None
    ran: float | None
    cores: float
    memory: int | None


@dataclass(frozen=True)
class Usage:
    """What a job of the scheduler used: peak memory in MB, and CPU time in seconds."""

    memory: float
    cpu: float


def describe_failure(member: Member, failure: Failure, submission: Submission | None) -> str:
    """Return why a job has failed, where that can be looked into, and the last lines of its logs."""
    reason, shown = failure.reason, []
    logs = find_own_logs(member.job)
    if submission:
        files = submission.files
        logs += [files.log, files.scheduler_log]
        shown = [f"log: {show_path(files.log)}", f"submission script: {show_path(files.submission_script)}"]
        if len(submission.members) > 1:
            reason += f"; it ran in a pack of {len(submission.members)} jobs"
    for path in logs:
        if lines := read_tail(path):
            shown += [f"last lines of {show_path(path)}:", *(f"    {line}" for line in lines)]
    return "\n    ".join([reason, *shown, ""])


def find_own_logs(job: JobExecutorInterface) -> list[Path]:
    """Return the logs of a job's rule; of a group, the one that was written last, whose job ran when it failed."""
    if not job.is_group():
        return [Path(path) for path in job.log]
    written: dict[Path, float] = {}
    for path in (Path(path) for each in job for path in each.log):
        with suppress(OSError):
            written[path] = path.stat().st_mtime
    return [max(written, key=written.__getitem__)] if written else []


def print_group_error(logger: Any, info: SubmittedJobInfo, message: str) -> None:
    """Print why a group has failed, as Snakemake does without a reason, and which jobs were in it."""
    jobs = [job.get_log_error_info(indent=True) for job in info.job.jobs]
    extra = {"event": LogEvent.GROUP_ERROR, "groupid": info.job.groupid, "aux_logs": [], "job_error_info": jobs}
    text = f"Error in group {info.job.groupid}: {message.rstrip()}"
    logger.error(text, extra=extra | {"external_jobid": info.external_jobid})


class Summary:
    """The ends of a run's jobs."""

    def __init__(self, logger: Any) -> None:
        self.logger = logger
        self.ended: list[Ended] = []
        self._failed_lines: dict[str, set[str]] = {}  # of submission scripts, and the submissions that ran all the same

    @property
    def has_failures(self) -> bool:
        """Whether any attempt of a job has failed."""
        return any(end.word for end in self.ended)

    def note(self, member: Member, word: str, submission: Submission | None) -> None:
        """Note the end of a job's attempt; `word` is why it failed, "" if it did not."""
        self.ended.append(describe_end(member, word, submission))
        if submission is None or not (lines := submission.failed_lines):
            return
        if lines not in self._failed_lines:
            self.logger.warning(
                f"divvy: {submission.name} ran although a line before its command had failed: {lines}; with `set -e` "
                "before such lines in the template, such a job fails"
            )
        self._failed_lines.setdefault(lines, set()).add(submission.name)

    def tell(self, scheduler: Scheduler) -> None:
        """Print the table, and which jobs ran after lines that had failed."""
        ids = sorted({end.id for end in self.ended if end.id})
        usage = read_slurm_usage(ids) if scheduler.name == "slurm" else {}
        self.logger.info("\n    ".join(["divvy: the jobs of this run", *build_table(self.ended, usage)]))
        if len(names := sorted(set().union(*self._failed_lines.values()))) > 1:
            self.logger.warning(f"divvy: {len(names)} jobs ran although such a line had failed: {', '.join(names)}")


def describe_end(member: Member, word: str, submission: Submission | None) -> Ended:
    """Return the end of a job's attempt; `word` is why it failed, "" if it did not."""
    job, queued, ran = member.job, None, None
    if submission:
        start, end = submission.final_times
        queued = max(0.0, start - submission.time) if start else None
        ran = (end - start) / len(submission.members) if start and end else None
    memory = job.resources.get("mem_mb")
    return Ended(
        rule=name_rule(job),
        word=word,
        attempt=job.attempt,
        id=submission.id if submission else "",
        queued=queued,
        ran=ran,
        cores=job.threads,
        memory=memory if isinstance(memory, int) else None,
    )


def build_table(ended: Sequence[Ended], usage: dict[str, Usage]) -> list[str]:
    """Return the lines of the table: one row per rule, and only columns that have something in them."""
    head = ["rule", "done", "failed", "retries", "in queue", "running", "memory used/asked", "CPU used"]
    rules = dict.fromkeys(end.rule for end in ended)
    rows = [_build_row(rule, [end for end in ended if end.rule == rule], usage) for rule in rules]
    kept = [column for column in zip(head, *rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in kept]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in zip(*kept, strict=True)
    ]


def read_slurm_usage(ids: Sequence[str]) -> dict[str, Usage]:
    """Return what Slurm's accounting knows about jobs; nothing where there is no accounting."""
    command = ["sacct", "-n", "-P", "--format=JobID,MaxRSS,TotalCPU", "--jobs"]
    chunks = [",".join(ids[first : first + CHUNK]) for first in range(0, len(ids), CHUNK)]
    try:
        lines = [line for chunk in chunks for line in run([*command, chunk]).stdout.splitlines()]
    except SchedulerError:
        return {}
    used: dict[str, Usage] = {}
    for job, memory, cpu in (line.split("|") for line in lines if line.count("|") == 2):
        id, _, _ = job.partition(".")  # steps of a job follow the point
        known = used.get(id, Usage(0, 0))
        used[id] = Usage(max(known.memory, _parse_megabytes(memory)), max(known.cpu, _parse_seconds(cpu)))
    return {job: use for job, use in used.items() if use.memory}


def format_duration(seconds: float) -> str:
    """Return a time as h:mm:ss, or m:ss.

    >>> format_duration(75), format_duration(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _build_row(rule: str, ended: Sequence[Ended], usage: dict[str, Usage]) -> tuple[str, ...]:
    failed = Counter(e.word for e in ended if e.word)
    known = [(e, usage[e.id]) for e in ended if e.id in usage]
    asked = [e.memory for e, _ in known if e.memory]
    memory = f"{max(use.memory for _, use in known):.0f}/{max(asked)} MB" if asked else ""
    busy = sum(e.ran * e.cores for e, _ in known if e.ran)
    cpu = sum({e.id: use.cpu for e, use in known}.values())  # jobs of a pack have one id
    return (
        rule,
        str(len(ended) - failed.total()),
        ", ".join(f"{count} {word}" for word, count in failed.items()),
        str(sum(e.attempt > 1 for e in ended) or ""),
        _describe_times(e.queued for e in ended),
        _describe_times(e.ran for e in ended),
        memory,
        f"{cpu / busy:.0%}" if busy else "",
    )


def _describe_times(times: Iterable[float | None]) -> str:
    known = [time for time in times if time is not None]
    return f"{format_duration(median(known))} (max {format_duration(max(known))})" if known else ""


def _parse_megabytes(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)([KMGT]?)", text)
    return float(found[1]) * BYTES.get(found[2], 1) / 2**20 if found else 0.0


def _parse_seconds(text: str) -> float:
    """Return seconds of Slurm's [D-][HH:]MM:SS[.mmm]."""
    days, _, clock = text.rpartition("-")
    try:
        parts = [float(part) for part in clock.split(":")]
    except ValueError:
        return 0.0
    return float(days or 0) * 86400 + sum(part * 60.0**power for power, part in enumerate(reversed(parts)))
