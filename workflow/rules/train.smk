# One network an interaction and instance (SPEC sections 2 and 3).


rule train_network:
    input:
        **{
            f"{dataset}_{split}": path
            for split in ("train", "validation")
            for dataset, path in shards(split).items()
        },
    output:
        model=f"{NETWORK}/model.safetensors",
        curve=f"{NETWORK}/training.csv",
    log:
        f"{RUN}/logs/train/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/train/{{interaction}}-{{instance}}.tsv"
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        device=config["compute"]["device"],
    params:
        network=config["network"],
        training=config["training"],
        scenes=DISTRIBUTION,
        seed=SEED,
        code=fingerprint("train_network", "training", "network", "rendering", "scenes"),
    message:
        "train: {wildcards.interaction} network {wildcards.instance}"
    script:
        "../scripts/train_network.py"
