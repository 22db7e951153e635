# Each network on the test scenes: recordings to decode, accuracies, clutter at the input (docs/experiment.md 4).


rule record_network:
    input:
        model=f"{NETWORK}/model.safetensors",
        scenes=test_scenes(config["record"]["scenes"]),
    output:
        activations=(
            f"{NETWORK}/activations.h5"
            if config["record"]["keep"]
            else temp(f"{NETWORK}/activations.h5")
        ),
        accuracy=f"{NETWORK}/accuracy.csv",
        clutter=f"{NETWORK}/clutter.csv",
        ablation=f"{NETWORK}/ablation.csv",
        examples=f"{NETWORK}/examples.h5",
    log:
        f"{RUN}/logs/record/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/record/{{interaction}}-{{instance}}.tsv"
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        device=config["compute"]["device"],
        mem_mb=MEMORY,
    params:
        made_from=made_from,
        test_scenes=TEST_SCENES,
        record=RECORDING,
        seed=SEED,
        code=code("record_network"),
    message:
        "record: {wildcards.interaction} network {wildcards.instance}"
    script:
        "../scripts/record_network.py"
