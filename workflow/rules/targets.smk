# Targets for single stages: `snakemake --cores all -- decode` stops after decoding.


if workflow.is_main_process and WHOLE and (wrong := known_problems()):
    raise WorkflowError("\n".join(["files that are there do not fit the configuration:", *wrong]))


localrules:
    data,
    train,
    record,
    decode,
    perturb,
    figures,


rule data:
    input:
        rules.configuration.output,
        shards("train"),
        test_scenes(config["record"]["scenes"]),
        rules.decode_scenes.input,


rule train:
    input:
        rules.configuration.output,
        instances("model.safetensors"),


rule record:
    input:
        instances("accuracy.csv"),
        kept_recordings(),


rule decode:
    input:
        instances("decoding.csv"),
        rules.decode_scenes.output,


rule perturb:
    input:
        instances("perturbation.csv"),


rule figures:
    input:
        expand(rules.figure.output, figure=FIGURES),
