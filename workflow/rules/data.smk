# Source images and scenes (docs/experiment.md 1).

import re


rule shards:
    input:
        own_images,
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
        dataset="|".join(map(re.escape, DATASETS)),
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        data=IMAGES,
        sha256=lambda wildcards: DATASETS[wildcards.dataset],
        # Moving verified files must rerun nothing. Snakemake does not track a lambda with the argument threads.
        files=lambda wildcards, threads: config["data"]["files"],
        code=code("shards"),
    message:
        "shards: source images of {wildcards.dataset}"
    script:
        "../scripts/shards.py"


rule scenes:
    input:
        shards("test"),
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
        shards("test"),
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
        pair=PAIR,
        scenes=PERTURBED,
        seed=SEED,
        code=code("variants"),
    message:
        "variants: two scenes and their altered copies, for the figures"
    script:
        "../scripts/variants.py"


rule categories:
    output:
        f"{RUN}/tables/categories.csv",
    log:
        f"{RUN}/logs/categories.log",
    benchmark:
        f"{RUN}/benchmarks/categories.tsv"
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        datasets=[
            {key: dataset[key] for key in ("name", "classes")}
            for dataset in config["data"]["pair"].values()
        ],
        code=code("categories"),
    message:
        "categories: their names"
    script:
        "../scripts/categories.py"


rule configuration:
    output:
        f"{RUN}/config.yaml",
    log:
        f"{RUN}/logs/configuration.log",
    benchmark:
        f"{RUN}/benchmarks/configuration.tsv"
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        config=REPORTED,
        untracked=lambda wildcards, threads: config,  # all of it
        code=code("configuration"),
    message:
        "configuration: all keys of the run, in one file"
    script:
        "../scripts/configuration.py"
