# Decoding from activations and recurrent flow of each network, and from the scenes (docs/experiment.md 4).


rule decode_network:
    input:
        f"{NETWORK}/activations.h5",
    output:
        f"{NETWORK}/decoding.csv",
    log:
        f"{RUN}/logs/decode/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/decode/{{interaction}}-{{instance}}.tsv"
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        mem_mb=MEMORY,
    params:
        made_from=made_from,
        test_scenes=TEST_SCENES,
        record=RECORDING,
        decoding=DECODING,
        seed=SEED,
        code=code("decode_network"),
    message:
        "decode: {wildcards.interaction} network {wildcards.instance}"
    script:
        "../scripts/decode_network.py"


rule decode_scenes:
    input:
        test_scenes(SCENE_REPEATS * DECODING["scenes"]),
    output:
        f"{RUN}/tables/scene_decoding.csv",
    log:
        f"{RUN}/logs/decode/scenes.log",
    benchmark:
        f"{RUN}/benchmarks/decode/scenes.tsv"
    priority: EARLY
    conda:
        "../../envs/recurrence.yaml"
    threads: THREADS
    resources:
        mem_mb=MEMORY,
    params:
        decoding={
            key: config["decoding"][key] for key in ("scenes", "fit", "variables", "max_iter")
        },
        test_scenes=TEST_SCENES,
        repeats=SCENE_REPEATS,
        seed=SEED,
        code=code("decode_scenes"),
    message:
        "decode: the scenes themselves"
    script:
        "../scripts/decode_scenes.py"
