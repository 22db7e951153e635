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
        ablation_over_time=f"{NETWORK}/ablation_over_time.csv",
        answers=f"{NETWORK}/answers.csv",
        scenes=f"{NETWORK}/scenes.csv",
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


rule examples:
    input:
        **{name: f"{RUN}/{name}/instance1/model.safetensors" for name in SHOWN},
        answers=[f"{RUN}/{name}/instance1/scenes.csv" for name in SHOWN],
        test_scenes=test_scenes(config["record"]["scenes"]),
    output:
        f"{RUN}/examples.h5",
    log:
        f"{RUN}/logs/examples.log",
    benchmark:
        f"{RUN}/benchmarks/examples.tsv"
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    resources:
        device=config["compute"]["device"],
    params:
        networks=lambda wildcards: networks_shown(),
        test_scenes=TEST_SCENES,
        record=RECORDING,
        seed=SEED,
        code=code("examples"),
    message:
        "examples: scenes in the figures of input maps"
    script:
        "../scripts/examples.py"
