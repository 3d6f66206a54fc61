"""Which jobs share a submission, and what it asks for.

Up to 25 jobs with the resource `pack: 25` share one. The jobs of a pack run one after another, in one Snakemake
process; each stays a job of its own for the Snakemake that submitted it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy.provenance import Ticket

SUMMED = {"runtime"}  # resources that add up when jobs run one after another; of the others the largest counts
IGNORED = {"pack", "tmpdir", "mem", "disk"}  # the last two are text for people, derived from mem_mb and disk_mb


@dataclass(eq=False)
class Member:
    """A job of Snakemake on its way through submissions.

    Attributes
    ----------
    info, ticket
        What Snakemake and the journal know it by.
    pack
        How many such jobs share a submission.
    tries
        How many times its submission failed for an unknown reason.
    """

    info: SubmittedJobInfo
    ticket: Ticket
    pack: int = 1
    tries: int = 0

    @property
    def job(self) -> JobExecutorInterface:
        """The job of Snakemake."""
        return self.info.job


@dataclass(frozen=True)
class Pack:
    """Several jobs in the shape of one: what an executor asks of a job to write its command."""

    jobs: Sequence[JobExecutorInterface]
    output: tuple[str, ...] = field(default=(), init=False)  # so that no temporary file is looked for

    @property
    def attempt(self) -> int:
        """The attempt of all of them."""
        return int(self.jobs[0].attempt)

    @property
    def jobid(self) -> Any:
        """The id of the first."""
        return self.jobs[0].jobid

    @property
    def threads(self) -> int:
        """The threads of each."""
        return int(self.jobs[0].threads)

    @property
    def rules(self) -> list[str]:
        """Their rules."""
        return sorted({rule for job in self.jobs for rule in job.rules})

    @property
    def is_updated(self) -> bool:
        """Whether a checkpoint changed one of them."""
        return any(job.is_updated for job in self.jobs)

    def is_group(self) -> bool:
        """Tell that it is not one of Snakemake's groups, which fail as a whole."""
        return False

    def get_target_spec(self) -> list[Any]:
        """Return what the command has to make."""
        return [target for job in self.jobs for target in job.get_target_spec()]

    def get_wait_for_files(self) -> list[str]:
        """Return the files that all of them need."""
        return list(dict.fromkeys(str(file) for job in self.jobs for file in job.get_wait_for_files()))


def get_pack(job: JobExecutorInterface) -> int:
    """Return how many such jobs share a submission; 1 for a group, which does not share."""
    pack = 1 if job.is_group() else job.resources.get("pack", 1)
    if not isinstance(pack, int) or pack < 1:
        raise ValueError(f"the resource pack is {pack!r}; expected how many such jobs fill a submission, 1 or more")
    return pack


def make_packs(members: Iterable[Member], most: int) -> list[list[Member]]:
    """Return members in order, grouped by the submission that they share, at most `most` in one."""
    packs: list[list[Member]] = []
    open_packs: dict[object, list[Member]] = {}
    for member in members:
        kind = (member.pack, _get_kind(member.job)) if member.pack > 1 else id(member)
        pack = open_packs.get(kind)
        if pack is None or len(pack) >= min(most, member.pack):
            pack = open_packs[kind] = []
            packs.append(pack)
        pack.append(member)
    return packs


def combine_resources(each: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the resources of jobs that run one after another, as those of one job."""
    together: dict[str, Any] = {}
    for resources in each:
        for name, value in resources.items():
            if name not in together or not isinstance(value, int):
                together[name] = value
            else:
                together[name] = (sum if name in SUMMED else max)((int(together[name]), value))
    return together


def _get_kind(job: JobExecutorInterface) -> object:
    """Return what the jobs of a pack have in common: everything but the sizes of their resources."""
    names = {n: None if isinstance(v, int | float) else v for n, v in job.resources.items() if n not in IGNORED}
    return job.name, job.attempt, job.threads, tuple(sorted(names.items(), key=str))
