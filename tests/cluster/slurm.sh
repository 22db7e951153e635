#!/usr/bin/env bash
# Try profiles/slurm and profiles/cluster-generic on a real Slurm with one node, this machine:
# `make test-cluster` (Debian, as root).
#
#   tests/cluster/slurm.sh PYTHON     PYTHON is from an environment that has both plugins
#
# The smoke preset goes through sbatch. One training is cancelled after its first checkpoint. It must
# be submitted again, go on from there, and end with the weights of an undisturbed run without Slurm.
# Perturbations ask for a GPU, which the node pretends to have. Then the trainings go through the
# generic profile; a replacement for PBS's qsub hands them to Slurm.
# Slurm's configuration, key, state and logs are in a temporary folder, and its daemons listen only
# on this machine; an installed Slurm is not touched. Missing packages of Slurm are installed.
set -euo pipefail

python=$(realpath --no-symlinks "${1:?give the Python of an environment with the Slurm plugin}")
packages=(munge slurm-client slurmctld slurmd)
light=(shards scenes variants tables scorecard figure report) # run where Snakemake runs
submitted=(train_network record_network decode_network decode_scenes perturb_network)

cd "$(dirname "$0")/../.."
work=$(mktemp -d /tmp/slurm-test.XXXXXX)
chmod 755 "$work" # everyone must be able to reach munge's socket
export SLURM_CONF=$work/slurm.conf
sessions=() # the daemons and the workflow: the process id of the first process of each
started=$SECONDS

say() { printf '\n--- %s\n' "$*"; }
fail() {
    printf '\nFAILED: %s\n' "$*" >&2
    exit 1
}

# start COMMAND...: start it in the background, in a session of its own that Ctrl-C does not reach
start() {
    setsid "$@" &
    sessions+=($!)
}

# within SECONDS COMMAND...: repeat a command until it succeeds
within() {
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < end)) || return 1
        sleep 0.2
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }
idle() { [[ $(sinfo --noheader --format %t 2>/dev/null) == idle ]]; }
no_job() { [[ -z $(squeue --noheader) ]]; }

tear_down() {
    local status=$? n
    trap - EXIT
    set +e
    [[ ${workflow:-} ]] && kill -KILL -- "-$workflow" 2>/dev/null # before it can submit again
    if ((${#sessions[@]} > 1)) && ! no_job; then # ending slurmd does not end its jobs
        scancel --me --full --signal=KILL        # Snakemake would wait for its job
        scancel --me
        within 30 no_job
    fi
    for ((n = ${#sessions[@]} - 1; n >= 0; n--)); do # munged last, because the others use it
        kill -- "-${sessions[n]}" 2>/dev/null
        within 10 gone "${sessions[n]}" || kill -KILL -- "-${sessions[n]}"
    done
    if ((status)); then
        echo "The files of this test, with the logs, are in $work" >&2
    else
        rm -rf "$work"
    fi
    exit "$status"
}
trap tear_down EXIT
trap 'exit 130' INT TERM

dpkg --status "${packages[@]}" >/dev/null 2>&1 || {
    say "Installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${packages[@]}" >/dev/null
}

say "Starting Slurm"
# A job gets the memory that the profile asks for, and is killed if it takes more. Slurm remembers
# finished jobs for an hour: without accounting, only squeue knows how they ended.
cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=$(id -un)
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
JobAcctGatherParams=UsePss,OverMemoryKill
KillWait=5
MinJobAge=3600
ReturnToService=2
GresTypes=gpu
$(slurmd -C | sed -n 's/^NodeName.*/& NodeAddr=127.0.0.1 Gres=gpu:1/p')
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE
END
echo "Name=gpu File=/dev/null" >"$work/gres.conf"
mkdir "$work"/{state,spool}
(umask 077 && head --bytes=128 /dev/urandom >"$work/munge.key")
start munged --foreground --socket="$work/munge.socket" --key-file="$work/munge.key" \
    --pid-file="$work/munged.pid" --seed-file="$work/munge.seed" --log-file="$work/munged.log" \
    2>/dev/null
within 10 test -S "$work/munge.socket" || fail "munged does not start"
start slurmctld -D -f "$SLURM_CONF" 2>"$work/slurmctld.log"
start slurmd -D -f "$SLURM_CONF" 2>"$work/slurmd.log"
within 30 idle || fail "the node does not become ready: $(tail -n 3 "$work"/slurm{ctld,d}.log)"
sinfo --Node --long

# Copies of the project: one without Slurm, one for each profile. The training is long enough to be cancelled halfway.
overlay=$work/overlay.yaml
cat >"$overlay" <<END
run: {name: cluster, instances: 1}
training: {iterations: 100}
compute: {device: cpu, threads: 2} # but one core each: the profile says so
END
network=results/cluster/multiplicative/instance1
for copy in local slurm generic; do
    mkdir "$work/$copy"
    tar --create --exclude=__pycache__ \
        Snakefile config.yaml workflow profiles envs data/published tests/sample |
        tar --extract --directory="$work/$copy"
done
snakemake=("$python" -m snakemake --configfile workflow/presets/smoke.yaml "$overlay")

say "One training without Slurm"
(cd "$work/local" && "${snakemake[@]}" --cores 1 --quiet rules -- "$network/model.safetensors")

say "The workflow through Slurm"
cd "$work/slurm"
# As somebody with GPUs would: remove the line for perturbations without a GPU, and use the one with a GPU.
sed -i -e '/^  perturb_network: {runtime/d' -e 's/^  # \(perturb_network: {.*gpu: 1}\)$/  \1/' profiles/slurm/config.yaml
start "${snakemake[@]}" --workflow-profile profiles/slurm --latency-wait 10 \
    --slurm-init-seconds-before-status-checks 5
workflow=${sessions[-1]}

# jobs_of RULE [NETWORK]: number, state, cores, memory, time limit, GPUs and name of each job so far;
# the name is the one that the plugin gives
columns=JobID:9,State:12,NumCPUs:9,MinMemory:9,TimeLimit:12,tres-per-job:15,Comment:90
jobs() { squeue --noheader --states=all --sort=i --Format="$columns" | tr --squeeze-repeats ' '; }
jobs_of() { jobs | grep -E " rule_$1(_wildcards.*${2:-}| *\$)" || true; }
until compgen -G "$network/.training/*.pt" >/dev/null || gone "$workflow"; do sleep 0.2; done
cancelled=$(jobs_of train_network multiplicative | awk '$2 == "RUNNING" {print $1}')
[[ $cancelled ]] || fail "no training to cancel"
say "Cancelling job $cancelled"
scancel "$cancelled"
wait "$workflow" || fail "the workflow through Slurm"

say "What Slurm says of its jobs"
jobs
for rule in "${submitted[@]}"; do
    [[ $(jobs_of "$rule") == *COMPLETED* ]] || fail "$rule should have run as a job of Slurm"
done
for rule in "${light[@]}"; do
    [[ -z $(jobs_of "$rule") ]] || fail "$rule should not have run as a job of Slurm"
done
trainings=$(jobs_of train_network multiplicative)
[[ $trainings == *CANCELLED*COMPLETED* ]] || fail "no training was cancelled and submitted again"
[[ $trainings == *"COMPLETED 1 2500M 1-00:00:00 N/A "* ]] ||
    fail "trainings do not ask for what the profile says"
[[ $(jobs_of perturb_network) == *"COMPLETED 1 6000M 2:00:00 gres"?"gpu:1 "* ]] ||
    fail "perturbations do not ask for what the profile says"
[[ -s results/cluster/report.html ]] || fail "there is no report"
grep "going on after iteration" results/cluster/logs/train/multiplicative-1.log ||
    fail "the cancelled training did not go on from its checkpoint"
cmp "$work"/{local,slurm}/"$network/model.safetensors" || fail "the weights differ"

say "Trainings through the generic profile"
cd "$work/generic"
mkdir "$work/bin"
printf '#!/bin/sh\nfor script; do :; done\nexec sbatch --parsable --output=/dev/null "$script"\n' >"$work/bin/qsub"
chmod +x "$work/bin/qsub"
PATH=$work/bin:$PATH "${snakemake[@]}" --workflow-profile profiles/cluster-generic --latency-wait 10 -- train
cmp "$work"/{local,generic}/"$network/model.safetensors" || fail "the weights differ"

say "Passed in $((SECONDS - started)) s: the cancelled training ended with the same weights"
