# Linear read-outs of each network's activations and recurrent flow (SPEC section 4).


rule decode:
    input:
        f"{RUN}/{{interaction}}/instance{{instance}}/activations.h5",
    output:
        f"{RUN}/{{interaction}}/instance{{instance}}/decoding.csv",
    log:
        f"{RUN}/logs/decode/{{interaction}}-{{instance}}.log",
    benchmark:
        f"{RUN}/benchmarks/decode/{{interaction}}-{{instance}}.tsv"
    conda:
        "../../envs/recurrence.yaml"
    threads: config["compute"]["threads"]
    params:
        decoding=config["decoding"],
        seed=config["run"]["seed"],
        fingerprint=fingerprint("decoding", "storage"),
    message:
        "decode: linear read-outs of {wildcards.interaction} instance {wildcards.instance}"
    script:
        "../scripts/decode.py"
