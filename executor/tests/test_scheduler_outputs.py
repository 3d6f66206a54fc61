"""The table of schedulers, with what they print: recorded (Slurm 22.05, Grid Engine 8.1.9), or as it is documented."""

import os
import pwd
import re
from pathlib import Path

import pytest

from plugin_helpers import calls, stand_in
from snakemake_executor_plugin_divvy.schedulers import (
    SCHEDULERS,
    Scheduler,
    SchedulerError,
    State,
    choose_scheduler,
)

SLURM, GRID_ENGINE, LSF, PBS, TORQUE = (SCHEDULERS[name] for name in ("slurm", "grid_engine", "lsf", "pbs", "torque"))


def prints(folder: Path, name: str, text: str, status: int = 0, error: str = "") -> None:
    """Let a command print `text`, say `error`, and end with `status`."""
    (folder / f"{name}.out").write_text(text)
    (folder / f"{name}.err").write_text(error)
    stand_in(folder, name, f"cat '{folder}/{name}.out'; cat '{folder}/{name}.err' >&2; exit {status}")


# --- submission

NOTES = "2 cores of project 77 are used\nJob submission filter: 1 check passed\n"
SUBMISSIONS = [
    (SLURM, "sbatch", "Submitted batch job 17", "17"),
    (SLURM, "sbatch", "Submitted batch job 17 on cluster big", "17;big"),
    (SLURM, "sbatch", "17;big", "17;big"),
    (GRID_ENGINE, "qsub", 'Your job 12 ("sample_1.2") has been submitted', "12"),
    (GRID_ENGINE, "qsub", "12", "12"),
    (LSF, "bsub", "Job <123> is submitted to queue <normal>.", "123"),
    (LSF, "bsub", "Job <123> is submitted to default queue <normal>.", "123"),
    (PBS, "qsub", "1234.server.domain", "1234.server.domain"),
    (PBS, "qsub", "1234.pbs-01", "1234.pbs-01"),
    (TORQUE, "qsub", "1234", "1234"),
]


@pytest.mark.parametrize("notes", ["", NOTES])
@pytest.mark.parametrize(("scheduler", "command", "printed", "job"), SUBMISSIONS)
def test_the_id_of_a_submission_whatever_is_printed_before(
    commands: Path, scheduler: Scheduler, command: str, printed: str, job: str, notes: str
) -> None:
    prints(commands, command, f"{notes}{printed}\n")
    assert scheduler.submit(f"{command} -V", Path("a b.sub")) == job
    assert calls(commands, command) == ["-V a b.sub"]


@pytest.mark.parametrize(("scheduler", "command"), [(GRID_ENGINE, "qsub"), (LSF, "bsub"), (PBS, "qsub")])
def test_notes_alone_are_no_id(commands: Path, scheduler: Scheduler, command: str) -> None:
    prints(commands, command, NOTES)
    with pytest.raises(SchedulerError, match="no job id.*project 77"):
        scheduler.submit(command, Path("x"))


def test_lsf_reads_the_script_from_its_input(commands: Path, tmp_path: Path) -> None:
    (tmp_path / "x.sub").write_text("script\n")
    stand_in(commands, "bsub", f"cat > {tmp_path}/read; echo 'Job <9> is submitted to queue <q>.'")
    assert LSF.submit("bsub <", tmp_path / "x.sub") == "9"
    assert (tmp_path / "read").read_text() == "script\n"


# --- who owns qsub

VERSIONS = [
    ("pbs_version = 20.0.1", "pbs"),
    ("pbs_version = PBSPro_11.1.0.111761", "pbs"),
    ("Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e", "torque"),
    ("version: 4.2.10", "torque"),
    ("", "pbs"),
]


@pytest.mark.parametrize("stream", ["1", "2"])
@pytest.mark.parametrize(("version", "name"), VERSIONS)
def test_qsub_of_pbs_or_torque(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, name: str, stream: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # whatever this machine has
    stand_in(tmp_path, "qstat", f"echo '{version}' >&{stream}")
    assert choose_scheduler(None, "/opt/pbs/bin/qsub -q work").name == name
    assert calls(tmp_path, "qstat") == ["--version"]


def test_qsub_of_grid_engine_or_of_something_without_qstat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_scheduler(None, "qsub").name == "pbs"
    stand_in(tmp_path, "qconf", "exit 1")
    assert choose_scheduler(None, "qsub -terse").name == "grid_engine"
    assert choose_scheduler("torque", "qsub").name == "torque"


# --- units, canceling


@pytest.mark.parametrize(
    ("scheduler", "memory", "time"),
    [
        (SLURM, "24000", "01:30:00"),
        (GRID_ENGINE, "24000M", "01:30:00"),
        (LSF, "24000MB", "1:30"),
        (PBS, "24000mb", "01:30:00"),
        (TORQUE, "24000mb", "01:30:00"),
    ],
)
def test_units(scheduler: Scheduler, memory: str, time: str) -> None:
    assert (scheduler.memory(24000), scheduler.time(90)) == (memory, time)


@pytest.mark.parametrize(
    ("scheduler", "command", "separator"),
    [
        (SLURM, "scancel", " "),
        (GRID_ENGINE, "qdel", ","),
        (LSF, "bkill", " "),
        (PBS, "qdel", " "),
        (TORQUE, "qdel", " "),
    ],
)
def test_jobs_are_canceled_in_chunks(commands: Path, scheduler: Scheduler, command: str, separator: str) -> None:
    ids = [str(number) for number in range(1200)]
    prints(commands, command, "", 1, 'denied: job "1" does not exist\n')  # ended meanwhile
    with pytest.raises(SchedulerError, match="does not exist"):
        scheduler.cancel_jobs(ids)
    assert calls(commands, command) == [separator.join(ids[first : first + 500]) for first in (0, 500, 1000)]


# --- Slurm

SQUEUE = """\
6|CANCELLED|None
15|CANCELLED|BeginTime
1|COMPLETED|None
10|COMPLETING|TimeLimit
2|FAILED|NonZeroExitCode
14|FAILED|JobLaunchFailure
20|NODE_FAIL|NodeDown
3|OUT_OF_MEMORY|OutOfMemory
12|PENDING|BeginTime
16|PENDING|PartitionTimeLimit
18|PENDING|DependencyNeverSatisfied
17|PENDING|JobHeldUser
19|PENDING|Resources
8|RUNNING|None
7|TIMEOUT|TimeLimit
"""
SACCT = """\
1|COMPLETED|0:0
2|FAILED|3:0
3|OUT_OF_MEMORY|0:125
6|CANCELLED by 0|0:0
7|TIMEOUT|0:0
8|RUNNING|0:0
13|REQUEUED|0:0
16|PENDING|PartitionTimeLimit
20|NODE_FAIL|0:0
"""


def names(scheduler: Scheduler, states: dict[str, State], which: str) -> str:
    """Return the ids of the states that are `final`, or that the patterns `pending` or `stuck` match."""
    if which == "final":
        return " ".join(job for job, state in states.items() if state.name in scheduler.final)
    return " ".join(job for job, state in states.items() if re.search(getattr(scheduler, which), str(state)))


def test_slurm_queue(commands: Path) -> None:
    prints(commands, "squeue", SQUEUE)
    states = SLURM.states([line.partition("|")[0] for line in SQUEUE.splitlines()])
    assert names(SLURM, states, "final") == "6 15 1 2 14 20 3 7"
    assert names(SLURM, states, "pending") == "12 16 18 17 19"
    live = {job: state for job, state in states.items() if state.name not in SLURM.final}
    assert names(SLURM, live, "stuck") == "16 18 17"
    assert str(states["20"]) == "NODE_FAIL, NodeDown"
    assert not (commands / "sacct.calls").exists()


def test_slurm_accounting_of_what_the_queue_has_forgotten(commands: Path) -> None:
    prints(commands, "squeue", "")
    prints(commands, "sacct", SACCT)
    states = SLURM.states([line.partition("|")[0] for line in SACCT.splitlines()])
    assert calls(commands, "sacct") == ["-X -n -P --format=JobIDRaw,State,Reason --jobs 1,2,3,6,7,8,13,16,20"]
    assert names(SLURM, states, "final") == "1 2 3 6 7 20"
    assert {SLURM.word(states[job]) for job in "367"} == {"OUT_OF_MEMORY", "CANCELLED", "TIMEOUT"}
    assert states["6"] == State("CANCELLED")


# --- Grid Engine

QSTAT_XML = """\
<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">
  <queue_info>
    <job_list state="running">
      <JB_job_number>7</JB_job_number>
      <JAT_prio>0.25000</JAT_prio>
      <JB_name>first</JB_name>
      <JB_owner>root</JB_owner>
      <state>r</state>
      <JAT_start_time>2026-11-22T18:19:02</JAT_start_time>
      <queue_name>shortq@localhost</queue_name>
      <slots>1</slots>
    </job_list>
    <job_list state="running">
      <JB_job_number>13</JB_job_number>
      <state>dr</state>
    </job_list>
    <job_list state="running">
      <JB_job_number>26</JB_job_number>
      <state>Rr</state>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>20</JB_job_number>
      <state>qw</state>
      <JB_submission_time>2026-11-22T18:19:03</JB_submission_time>
      <queue_name></queue_name>
    </job_list>
    <job_list state="pending">
      <JB_job_number>14</JB_job_number>
      <state>Eqw</state>
    </job_list>
    <job_list state="pending">
      <JB_job_number>19</JB_job_number>
      <state>hqw</state>
    </job_list>
    <job_list state="pending">
      <JB_job_number>25</JB_job_number>
      <state>Rq</state>
    </job_list>
  </job_info>
</job_info>
"""
# "{head}" stands for what is before the name, "{used}" for what is between run time and requests
ACCOUNTING = """\
# Version: 8.1.9
#
# DO NOT MODIFY THIS FILE MANUALLY!
#
{head}:ok:1:sge:0:1795371535:1795371535:1795371535:0:0:0:{used}:NONE:0.000000:NONE:0.000000:0:0
{head}:exit3:2:sge:0:1795371535:1795371535:1795371535:0:3:0:{used}:NONE:0.000000:NONE:0.000000:0:0
{head}:h_rt:3:sge:0:1795371535:1795371535:1795371541:37:137:6:{used}:-l h_rt=5:0.000000:NONE:5029888.000000:0:0
{head}:time_of_both:4:sge:0:1795371803:1795371803:1795371809:37:137:6:{used}:-l h_rt=5,h_vmem=200M:0.000000:NONE:5074944.000000:0:0
{head}:memory_of_both:5:sge:0:1795371803:1795371803:1795371804:37:137:1:{used}:-l h_rt=90,h_vmem=250M:0.000000:NONE:540164096.000000:0:0
{head}:segv:6:sge:0:1795371535:1795371535:1795371535:100:139:0:{used}:NONE:0.000000:NONE:0.000000:0:0
{head}:h_vmem:7:sge:0:1795371703:1795371703:1795371704:37:137:1:{used}:-l h_vmem=300M:0.000000:NONE:500264960.000000:0:0
{head}:no_malloc:8:sge:0:1795371535:1795371535:1795371535:0:1:0:{used}:-l h_vmem=200M:0.000000:NONE:0.000000:0:0
{head}:qdel:13:sge:0:1795371543:1795371543:1795371555:100:137:12:{used}:NONE:0.000000:NONE:5050368.000000:0:0
{head}:no_folder:16:sge:0:1795371543:0:0:28:0:0:{used}:NONE:0.000000:NONE:0.000000:0:0
longq:localhost:root:ro
{head}:again:25:sge:0:0:0:0:25:0:0:{used}:NONE:0.000000:NONE:0.000000:0:0
{head}:again:25:sge:0:1795371704:1795371709:1795371709:0:0:0:{used}:NONE:0.000000:NONE:0.000000:0:0
""".replace("{head}", "shortq:localhost:root:root").replace(
    "{used}",
    "0.001085:0.006154:4640.000000:0:0:0:0:417:0:0:0.000000:16:0:0:0:4:3:NONE:defaultdepartment:NONE:1:0:0.007239:0.000000:0.000023",
)
NO_QUEUE = (
    "<?xml version='1.0'?>\n<job_info>\n  <queue_info>\n  </queue_info>\n  <job_info>\n  </job_info>\n</job_info>\n"
)


def test_grid_engine_queue(commands: Path) -> None:
    prints(commands, "qstat", QSTAT_XML)
    states = GRID_ENGINE.states(["7", "13", "26", "20", "14", "19", "25"])
    assert [state.name for state in states.values()] == ["r", "dr", "Rr", "qw", "Eqw", "hqw", "Rq"]
    assert calls(commands, "qstat") == [f"-xml -u {pwd.getpwuid(os.getuid()).pw_name}"]
    assert names(GRID_ENGINE, states, "final") == ""
    assert names(GRID_ENGINE, states, "pending") == "20 19 25"  # to wait for Eqw is in vain
    assert names(GRID_ENGINE, states, "stuck") == "14 19"


def test_grid_engine_that_does_not_answer(commands: Path) -> None:
    prints(commands, "qstat", "", 1, "error: commlib error: got select error (Connection refused)\n")
    with pytest.raises(SchedulerError, match="Connection refused"):
        GRID_ENGINE.states(["1"])
    prints(commands, "qstat", "Usage: qstat")
    with pytest.raises(SchedulerError, match="XML"):
        GRID_ENGINE.states(["1"])


def test_grid_engine_accounting(commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prints(commands, "qstat", NO_QUEUE)
    common = commands / "cell" / "common"
    common.mkdir(parents=True)
    (common / "accounting").write_text(ACCOUNTING)
    monkeypatch.setenv("SGE_ROOT", str(commands))
    monkeypatch.setenv("SGE_CELL", "cell")
    states = GRID_ENGINE.states([str(number) for number in range(30)])
    assert {job: GRID_ENGINE.word(state) for job, state in states.items()} == {
        "1": "COMPLETED",
        "2": "FAILED",
        "3": "TIMEOUT",
        "4": "TIMEOUT",
        "5": "OUT_OF_MEMORY",
        "6": "FAILED",
        "7": "OUT_OF_MEMORY",
        "8": "FAILED",
        "13": "KILLED",
        "16": "FAILED",
        "25": "COMPLETED",
    }
    assert {state.name for state in states.values()} == GRID_ENGINE.final
    assert str(states["3"]) == "FAILED, failed 37, exit status 137, over h_rt"
    assert states["1"] == State("COMPLETED")


@pytest.mark.parametrize("root", ["/no/such/folder", None])
def test_grid_engine_without_accounting(commands: Path, monkeypatch: pytest.MonkeyPatch, root: str | None) -> None:
    prints(commands, "qstat", NO_QUEUE)
    monkeypatch.delenv("SGE_ROOT", raising=False)
    if root:
        monkeypatch.setenv("SGE_ROOT", root)
    assert GRID_ENGINE.states(["1"]) == {}


# --- LSF

BJOBS = """\
1|RUN|-|-|-
2|PEND|-|-|There are no suitable hosts for the job;
3|PEND|-|-|User has reached the per-user job slot limit of the queue;
4|PSUSP|-|-|The job was suspended by user;
5|UNKWN|-|-|-
6|SSUSP|-|-|-
7|DONE|-|-|-
8|EXIT|3|-|-
9|EXIT|137|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit|-
10|EXIT|140|TERM_RUNLIMIT: job killed after reaching LSF run time limit|-
11|EXIT|130|TERM_OWNER: job killed by owner|-
12|EXIT|-|TERM_FORCE_ADMIN: job killed by root or LSF administrator without time for cleanup|-
13|EXIT|137|TERM_PREEMPT: job killed after preemption|-
14|EXIT|-|TERM_ZOMBIE: Job exited while LSF is not available|-
15|EXIT|139|TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF|-
16|EXIT|137|-|-
17|ZOMBI|-|-|-
"""


@pytest.mark.parametrize("status", [0, 255])
def test_lsf(commands: Path, status: int) -> None:
    prints(commands, "bjobs", BJOBS, status, "Job <99> is not found\n")
    ids = [str(number) for number in range(1, 18)] + ["99"]
    states = LSF.states(ids)
    assert calls(commands, "bjobs") == [
        f"-a -noheader -o jobid stat exit_code exit_reason pend_reason delimiter='|' {' '.join(ids)}"
    ]
    assert names(LSF, states, "pending") == "2 3 4"
    assert names(LSF, states, "stuck") == "2 4 5"
    assert {job: LSF.word(states[job]) for job in names(LSF, states, "final").split()} == {
        "7": "COMPLETED",
        "8": "FAILED",
        "9": "OUT_OF_MEMORY",
        "10": "TIMEOUT",
        "11": "CANCELLED",
        "12": "CANCELLED",
        "13": "PREEMPTED",
        "14": "NODE_FAIL",
        "15": "KILLED",
        "16": "KILLED",
        "17": "NODE_FAIL",
    }
    assert states["1"] == State("RUN")
    assert str(states["2"]) == "PEND, There are no suitable hosts for the job"
    assert str(states["8"]) == "EXIT, exit status 3"


@pytest.mark.parametrize("said", ["Job <99> is not found", "No unfinished job found", "No matching job found"])
def test_lsf_has_forgotten_a_job(commands: Path, said: str) -> None:
    prints(commands, "bjobs", "", 255, f"{said}\n")
    assert LSF.states(["99"]) == {}


def test_lsf_that_does_not_answer(commands: Path) -> None:
    prints(commands, "bjobs", "", 255, "Failed in an LSF library call: Slave LIM configuration is not ready yet\n")
    with pytest.raises(SchedulerError, match="not ready yet"):
        LSF.states(["1"])


# --- PBS

RUNNING = """\
Job Id: 1.pbs-01.domain
    Job_Name = sample_1
    Job_Owner = ana@login1.domain
    resources_used.mem = 8112kb
    resources_used.walltime = 00:00:07
    job_state = R
    queue = workq
    exec_host = node12/0
    Resource_List.mem = 24000mb
    Resource_List.walltime = 01:00:00
    Variable_List = PBS_O_HOME=/home/ana,PBS_O_LANG=en_US.UTF-8,PBS_O_LOGNAME=ana,
\tPBS_O_PATH=/opt/pbs/bin:/usr/local/bin:/usr/bin:/bin,PBS_O_QUEUE=workq,
\tBASH_FUNC_module()=() {  eval `/usr/bin/modulecmd bash $*`
}
    comment = Job run at Wed Jul 22 at 07:48 on (node12:ncpus=1:mem=24576000kb)
    etime = Wed Jul 22 07:48:01 2026

"""


def pbs_job(
    job: str, state: str, status: str = "", comment: str = "", used: str = "", name: str = "Exit_status"
) -> str:
    """Return what `qstat -f` prints of a job that asked for an hour; long values go on after a tab."""
    lines = [f"Job Id: {job}", f"    job_state = {state}", "    Resource_List.walltime = 01:00:00"]
    lines += [f"    resources_used.walltime = {used}"] if used else []
    lines += [f"    comment = {comment[:60]}" + (f"\n\t{comment[60:]}" if comment[60:] else "")] if comment else []
    lines += [f"    {name} = {status}"] if status else []
    return "\n".join(lines) + "\n\n"


RUN = "Job run at Wed Jul 22 at 07:48 on (node12:ncpus=1:mem=24576000kb)"
ENDS_OF_PBS = [
    ("0", f"{RUN} and finished", "00:59:59", "COMPLETED"),
    ("3", f"{RUN} and failed", "00:10:00", "FAILED"),
    ("-29", f"{RUN} and exceeded resource walltime", "01:00:09", "TIMEOUT"),
    ("-28", f"{RUN} and exceeded resource cput", "00:10:00", "TIMEOUT"),
    ("-27", f"{RUN} and exceeded resource mem", "00:10:00", "OUT_OF_MEMORY"),
    ("-26", f"{RUN} and exceeded resource vmem", "00:10:00", "OUT_OF_MEMORY"),
    ("-29", "", "00:10:00", "TIMEOUT"),
    ("-28", "", "00:10:00", "TIMEOUT"),
    ("-27", "", "00:10:00", "OUT_OF_MEMORY"),
    ("-26", "", "00:10:00", "OUT_OF_MEMORY"),
    ("-25", f"{RUN} and exceeded resource ncpus (sum)", "00:10:00", "FAILED"),
    ("271", "", "00:10:00", "CANCELLED"),
    ("271", "", "01:00:12", "TIMEOUT"),
    ("143", f"{RUN} and failed", "00:10:00", "CANCELLED"),
    ("137", f"{RUN} and failed", "00:10:00", "KILLED"),
    ("265", "", "00:10:00", "KILLED"),
    ("-20", "", "00:10:00", "NODE_FAIL"),
    ("-4", "", "", "NODE_FAIL"),
    ("", "Not Running: Insufficient amount of resource: ncpus  and terminated", "", "CANCELLED"),
    ("", "", "", "FAILED"),
]
ENDS_OF_TORQUE = [
    ("0", "", "00:59:59", "COMPLETED"),
    ("3", "", "00:10:00", "FAILED"),
    ("-11", "", "01:00:09", "TIMEOUT"),
    ("-12", "", "00:10:00", "TIMEOUT"),
    ("-10", "", "00:10:00", "OUT_OF_MEMORY"),
    ("271", "", "00:10:00", "CANCELLED"),
    ("265", "", "01:00:46", "TIMEOUT"),
    ("137", "", "00:10:00", "KILLED"),
    ("-4", "", "", "NODE_FAIL"),
]


@pytest.mark.parametrize(
    ("scheduler", "state", "ends"), [(PBS, "F", ENDS_OF_PBS), (TORQUE, "C", ENDS_OF_TORQUE)], ids=["pbs", "torque"]
)
def test_ends_of_pbs(commands: Path, scheduler: Scheduler, state: str, ends: list[tuple[str, str, str, str]]) -> None:
    name = "Exit_status" if scheduler is PBS else "exit_status"
    jobs = [
        pbs_job(f"{number}.server", state, status, comment, used, name)
        for number, (status, comment, used, _) in enumerate(ends)
    ]
    prints(commands, "qstat", "".join(jobs))
    ids = [f"{number}.server" for number in range(len(ends))]
    states = scheduler.states(ids)
    assert list(states) == ids
    assert {found.name for found in states.values()} <= scheduler.final
    assert [scheduler.word(found) for found in states.values()] == [word for *_, word in ends]


def test_pbs_asks_for_history_only_after_jobs_that_have_left_the_queue(commands: Path) -> None:
    queue = RUNNING + pbs_job("2.pbs-01.domain", "Q", comment="Not Running: Insufficient amount of resource: ncpus")
    (commands / "queue").write_text(queue)
    (commands / "history").write_text(pbs_job("3.pbs-01.domain", "F", "271", f"{RUN} and failed"))
    stand_in(
        commands,
        "qstat",
        f"""if [ "$1" = -x ]; then cat {commands}/history; echo 'qstat: Unknown Job Id 4.pbs-01.domain' >&2; exit 153; fi
cat {commands}/queue
echo 'qstat: 3.pbs-01.domain Job has finished, use -x or -H to obtain historical job information' >&2
echo 'qstat: Unknown Job Id 4.pbs-01.domain' >&2
exit 35""",
    )
    ids = [f"{number}.pbs-01.domain" for number in (1, 2, 3, 4)]
    states = PBS.states(ids)
    assert calls(commands, "qstat") == [f"-f {' '.join(ids)}", f"-x -f {ids[2]} {ids[3]}"]
    assert states == {
        ids[0]: State("R", RUN),
        ids[1]: State("Q", "Not Running: Insufficient amount of resource: ncpus"),
        ids[2]: State("F", f"exit status 271, {RUN} and failed"),
    }
    assert list(PBS.states(["1", "2"])) == ["1", "2"]  # if qsub printed numbers alone


def test_pbs_run_times_of_days(commands: Path) -> None:
    short = pbs_job("1", "F", "271", used="99:59:59").replace("01:00:00", "100:00:00")
    long = pbs_job("2", "F", "271", used="100:00:07").replace("01:00:00", "100:00:00")
    prints(commands, "qstat", short + long)
    assert [PBS.word(state) for state in PBS.states(["1", "2"]).values()] == ["CANCELLED", "TIMEOUT"]


@pytest.mark.parametrize("said", ["Unknown Job Id 4.server", "4.server Job has finished, use -x or -H to obtain …"])
def test_pbs_without_history(commands: Path, said: str) -> None:
    stand_in(
        commands,
        "qstat",
        'if [ "$1" = -x ]; then echo "qstat: PBS is not configured to maintain job history 4.server" >&2; exit 1; fi\n'
        f'echo "qstat: {said}" >&2; exit 35',
    )
    assert PBS.states(["4.server"]) == {}


def test_torque(commands: Path) -> None:
    prints(commands, "qstat", RUNNING, 153, "qstat: Unknown Job Id Error 9.pbs-01.domain\n")
    assert TORQUE.states(["1.pbs-01.domain", "9.pbs-01.domain"]) == {"1.pbs-01.domain": State("R", RUN)}
    assert calls(commands, "qstat") == ["-f 1.pbs-01.domain 9.pbs-01.domain"]


@pytest.mark.parametrize("scheduler", [PBS, TORQUE])
def test_pbs_that_does_not_answer(commands: Path, scheduler: Scheduler) -> None:
    prints(commands, "qstat", "", 255, "Connection refused\nqstat: cannot connect to server pbs-01 (errno=15010)\n")
    with pytest.raises(SchedulerError, match="cannot connect"):
        scheduler.states(["1"])


def test_states_of_pbs_in_the_queue(commands: Path) -> None:
    comments = {
        "Q": "Not Running: Insufficient amount of resource: mem",
        "Qn": "Can Never Run: Insufficient amount of resource: mem (R: 999gb A: 188gb T: 188gb)",
        "H": "job held, too many failed attempts to run",
        "W": "",
        "T": "",
        "R": RUN,
        "S": "",
        "E": "",
    }
    prints(commands, "qstat", "".join(pbs_job(str(i), s[0], comment=c) for i, (s, c) in enumerate(comments.items())))
    states = PBS.states([str(number) for number in range(len(comments))])
    assert names(PBS, states, "pending") == names(TORQUE, states, "pending") == "0 1 2 3 4"
    assert names(PBS, states, "stuck") == "1 2"
    assert names(TORQUE, states, "stuck") == "2"
    assert names(PBS, states, "final") == names(TORQUE, states, "final") == ""
