# Targets for single stages: `snakemake --cores all -- decode` stops after decoding.


localrules:
    data,
    train,
    record,
    decode,
    perturb,
    figures,


rule data:
    input:
        shards("train").values(),
        test_scenes(config["record"]["scenes"]),
        rules.decode_scenes.input,


rule train:
    input:
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
