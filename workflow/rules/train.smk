# One network for each interaction and instance: trained (docs/experiment.md 2 and 3), or imported from the authors.

CHECKPOINTS = config["run"]["checkpoints"]
IMPORTED = [interaction for interaction, files in CHECKPOINTS.items() if files]
TRAINED = [name for name in interactions() if name not in IMPORTED]


rule train_network:
    input:
        train=shards("train"),
        validation=shards("validation"),
    output:
        model=f"{NETWORK}/model.safetensors",
        curve=f"{NETWORK}/training.csv",
    log:
        f"{RUN}/logs/train/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/train/{{interaction}}-{{instance}}.tsv"
    wildcard_constraints:
        interaction="|".join(TRAINED),
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        device=config["compute"]["device"],
        mem_mb=MEMORY,
    params:
        data=IMAGES,
        pair=PAIR,
        network=config["network"],
        training=TRAINING,
        scenes=DISTRIBUTION,
        seed=SEED,
        # What changes no weight is not tracked: another validation is refused (recurrence.records).
        machine=lambda wildcards, threads: {
            "validation": VALIDATION,
            "checkpoint_every": config["compute"]["checkpoint_every"],
        },
        code=code("train_network"),
    message:
        "train: {wildcards.interaction} network {wildcards.instance}"
    script:
        "../scripts/train_network.py"


rule import_network:
    input:
        lambda wildcards: CHECKPOINTS[wildcards.interaction][int(wildcards.instance) - 1],
    output:
        model=f"{NETWORK}/model.safetensors",
        curve=f"{NETWORK}/training.csv",
    log:
        f"{RUN}/logs/import/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/import/{{interaction}}-{{instance}}.tsv"
    wildcard_constraints:
        interaction="|".join(IMPORTED) or "none",
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        network=config["network"],
        checkpoint=checkpoint,
        seed=SEED,
        code=code("import_network"),
    message:
        "import: {wildcards.interaction} network {wildcards.instance} from {input}"
    script:
        "../scripts/import_network.py"
