# The last stage: tables, the scorecard, the figures and the report.

TABLES = {
    name: f"{RUN}/tables/{name}.csv"
    for name in (
        "accuracy",
        "decoding",
        "perturbation",
        "ablation",
        "ablation_over_time",
        "clutter",
        "answers",
        "training",
    )
}
PAGES = str(HERE / "workflow/report")
PAGE_PARTS = expand(
    f"{PAGES}/{{part}}",
    part=("base.html.j2", "parts.html.j2", "page.css", "page.js", "vendor/sortable.min.js"),
)  # of all pages
SCENE_DECODING = rules.decode_scenes.output[0]
PUBLISHED = {
    f"published_{name}": str(HERE / "data" / "published" / f"{name}.csv")
    for name in ("accuracy", "decoding", "perturbation")
}
RUN_FILES = (
    TABLES
    | PUBLISHED
    | {name: f"{RUN}/tables/{name}.csv" for name in ("distance", "parameters", "categories")}
    | {"variants": f"{RUN}/variants.h5"}
    | ({"examples": f"{RUN}/examples.h5"} if SHOWN else {})
)
NETWORK_FILES = {"perturbation_example": "perturbation_example.h5"}


rule tables:
    input:
        **{name: instances(f"{name}.csv") for name in TABLES},
    output:
        **{
            name: report(
                path,
                caption="../report/table.rst",
                category="Tables",
                labels={"table": name},
            )
            for name, path in [*TABLES.items(), ("renderings", f"{RUN}/tables/renderings.csv")]
        },
    log:
        f"{RUN}/logs/tables.log",
    benchmark:
        f"{RUN}/benchmarks/tables.tsv"
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        interactions=INTERACTIONS,
        instances=config["run"]["instances"],
        code=code("tables"),
    message:
        "tables: the rows of all networks"
    script:
        "../scripts/tables.py"


rule scorecard:
    input:
        **TABLES,
        **PUBLISHED,
        scene_decoding=SCENE_DECODING,
    output:
        table=report(
            f"{RUN}/tables/scorecard.csv",
            caption="../report/scorecard.rst",
            category="Scorecard",
        ),
        distance=report(
            f"{RUN}/tables/distance.csv",
            caption="../report/distance.rst",
            category="Scorecard",
        ),
        text=f"{RUN}/scorecard.txt",
    log:
        f"{RUN}/logs/scorecard.log",
    benchmark:
        f"{RUN}/benchmarks/scorecard.tsv"
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        run=config["run"]["name"],
        # test scenes of each repeat behind one value
        scored=config["decoding"]["scenes"] - config["decoding"]["fit"],
        perturbed=config["perturbation"]["scenes"],
        departures=DEPARTURES,
        code=code("scorecard"),
    message:
        "scorecard: tests of the paper's claims"
    script:
        "../scripts/scorecard.py"


rule parameters:
    output:
        f"{RUN}/tables/parameters.csv",
    log:
        f"{RUN}/logs/parameters.log",
    benchmark:
        f"{RUN}/benchmarks/parameters.tsv"
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        interactions=INTERACTIONS,
        network=config["network"],
        code=code("parameters"),
    message:
        "parameters: the names, shapes and costs of the networks' parameters"
    script:
        "../scripts/parameters.py"


rule figure:
    input:
        unpack(figure_files),
    output:
        png=report(
            f"{RUN}/figures/fig{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        pdf=f"{RUN}/figures/fig{{figure}}.pdf",
    log:
        f"{RUN}/logs/figures/fig{{figure}}.log",
    benchmark:
        f"{RUN}/benchmarks/figures/fig{{figure}}.tsv"
    wildcard_constraints:
        figure="|".join(FIGURES),
    priority: EARLY
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        figures=config["figures"],
        departures=DEPARTURES,
        made_from=figure_origins,
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        code=code("figure"),
    message:
        "figure {wildcards.figure}"
    script:
        "../scripts/figure.py"


rule report:
    input:
        **TABLES,
        **PUBLISHED,
        scorecard=f"{RUN}/tables/scorecard.csv",
        distance=f"{RUN}/tables/distance.csv",
        parameters=f"{RUN}/tables/parameters.csv",
        scene_decoding=SCENE_DECODING,
        figures=expand(f"{RUN}/figures/fig{{figure}}.png", figure=FIGURES),
        template=f"{PAGES}/report.html.j2",
        durations_template=f"{PAGES}/durations.html.j2",
        parts=PAGE_PARTS,
    output:
        page=report(f"{RUN}/report.html", caption="../report/report.rst", category="Report"),
        durations=f"{RUN}/durations.html",
    log:
        f"{RUN}/logs/report.log",
    benchmark:
        f"{RUN}/benchmarks/report.tsv"
    localrule: True
    conda:
        "../../envs/recurrence.yaml"
    params:
        config=REPORTED,
        departures=DEPARTURES,
        # where benchmarks and records of jobs are; not tracked, as with data.files
        files=lambda wildcards, threads: [DATA, SCENES, RUN],
        code=code("report"),
    message:
        "report: the whole run on one page"
    script:
        "../scripts/report.py"
