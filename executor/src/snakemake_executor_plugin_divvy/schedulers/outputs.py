"""What the commands of schedulers print, as states of jobs."""

import re
from xml.etree import ElementTree

from snakemake_executor_plugin_divvy.schedulers.record import SchedulerError, State, States


def read_qstat_xml(text: str) -> States:
    """Return the states in what `qstat -xml` prints, as Grid Engine's letters (r, qw, Eqw …)."""
    try:
        jobs = list(ElementTree.fromstring(text).iter("job_list"))
    except ElementTree.ParseError as error:
        raise SchedulerError(f"expected the XML of qstat -xml, found something else: {error}") from error
    return {job.findtext("JB_job_number", ""): State(job.findtext("state", "")) for job in jobs}


# fields 6, 12 `failed`, 13 and 14 of the accounting file
ACCOUNT = re.compile(r"(?:[^:]*:){5}(?P<id>\d+):(?:[^:]*:){5}(?P<failed>\d+):(?P<status>\d+):(?P<seconds>\d+)")


def read_grid_engine_accounting(text: str) -> States:
    """Return the ends of jobs in lines of the accounting file.

    `failed` is 37 for every limit: the requests, with h_rt in seconds, tell which one was exceeded.
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


def read_bjobs(text: str) -> States:
    """Return the states in lines `id|state|exit code|why it ended|why it waits`, in which `-` is nothing.

    >>> read_bjobs("7|EXIT|130|TERM_OWNER: job killed by owner|-")
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


def read_qstat_full(text: str) -> States:
    """Return the states in what `qstat -f` prints, by whole ids (1234.server) and by their numbers."""
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
