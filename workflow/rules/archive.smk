# A run in one zip file, to share and to cite.


rule archive:
    input:
        rules.report.output,
        rules.configuration.output,
        rules.figures.input,
        instances("model.safetensors"),
        snakefile=str(HERE / "Snakefile"),
    output:
        f"{RUN}.zip",
    log:
        f"{RUN}/logs/archive.log",
    benchmark:
        f"{RUN}/benchmarks/archive.tsv"
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        config=REPORTED,
        # all of it: the keys that change no number are not tracked
        machine=lambda wildcards, threads: {"config": config},
        code=code("archive"),
    message:
        "archive: the whole run in one file"
    script:
        "../scripts/archive.py"
