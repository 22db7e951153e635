# Finished runs laid over each other, of any configuration: results/quick+fewer-objects/comparison.html.


rule compare:
    input:
        compared_files,
        template=str(HERE / "workflow/report/comparison.html.j2"),
        parts=PAGE_PARTS,
    output:
        page="results/{runs}/comparison.html",
        table="results/{runs}/comparison.csv",
        figures=directory("results/{runs}/figures"),
    log:
        "results/{runs}/logs/compare.log",
    benchmark:
        "results/{runs}/benchmarks/compare.tsv"
    wildcard_constraints:
        runs=r"[^/]*\+[^/]*",
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        dpi=config["figures"]["dpi"],
        code=code("compare"),
    message:
        "compare: {wildcards.runs}"
    script:
        "../scripts/compare.py"
