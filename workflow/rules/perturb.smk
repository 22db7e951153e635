# Functional importance: recurrent flow is replaced at one layer and timestep at a time (docs/experiment.md 5).


rule perturb_network:
    input:
        sources=shards("test"),
        model=f"{NETWORK}/model.safetensors",
    output:
        table=f"{NETWORK}/perturbation.csv",
        example=f"{NETWORK}/perturbation_example.h5",
    log:
        f"{RUN}/logs/perturb/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/perturb/{{interaction}}-{{instance}}.tsv"
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        device=config["compute"]["device"],
        mem_mb=MEMORY,
    params:
        data=IMAGES,
        pair=PAIR,
        made_from=made_from,
        perturbation=config["perturbation"],
        perturbed=PERTURBED,
        seed=SEED,
        code=code("perturb_network"),
    message:
        "perturb: {wildcards.interaction} network {wildcards.instance}"
    script:
        "../scripts/perturb_network.py"
