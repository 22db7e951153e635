# Source images and scenes (docs/experiment.md 1).


rule shards:
    output:
        **{
            split: f"{DATA}/shards/{{dataset}}-{split}.h5"
            for split in ("train", "validation", "test")
        },
    log:
        f"{DATA}/logs/shards-{{dataset}}.log",
    benchmark:
        f"{DATA}/benchmarks/shards-{{dataset}}.tsv"
    wildcard_constraints:
        dataset="|".join(DATASETS),
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        data=IMAGES,
        # Moving the files must rerun nothing, as their content is verified. Snakemake does not track
        # a lambda with the argument threads.
        files=lambda wildcards, threads: config["data"]["files"],
        code=code("shards"),
    message:
        "shards: source images of {wildcards.dataset}"
    script:
        "../scripts/shards.py"


rule scenes:
    input:
        **shards("test"),
    output:
        f"{SCENES}/test-{{number}}.h5",
    log:
        f"{SCENES}/logs/test-{{number}}.log",
    benchmark:
        f"{SCENES}/benchmarks/test-{{number}}.tsv"
    wildcard_constraints:
        number=r"\d\d",
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        **TEST_SCENES,
        code=code("scenes"),
    message:
        "scenes: file {wildcards.number} of the test scenes"
    script:
        "../scripts/scenes.py"


rule variants:
    input:
        **shards("test"),
    output:
        f"{RUN}/variants.h5",
    log:
        f"{RUN}/logs/variants.log",
    benchmark:
        f"{RUN}/benchmarks/variants.tsv"
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        data=IMAGES,
        scenes=PERTURBED,
        seed=SEED,
        code=code("variants"),
    message:
        "variants: two scenes and their altered copies, for the figures"
    script:
        "../scripts/variants.py"
