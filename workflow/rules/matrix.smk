rule collect:
    """Collect the coverage of all samples into the matrix and the table of statistics."""
    input:
        script=script("collect.py"),
        modules=modules("regions", "samples"),
        samples=SAMPLE_TABLE,
        regions="results/regions/{region_set}.bed",
        counts=collected("npy"),
        stats=collected("stats.json"),
    output:
        matrix=expand("results/matrix/{{region_set}}.matrix_raw.{format}", format=config["matrix"]["formats"]),
        stats="results/matrix/{region_set}.stats.tsv",
    log:
        "results/logs/collect/{region_set}.log",
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        coverage=coverage_folder,
    shell:
        "python {input.script:q} --samples {input.samples:q} --regions {input.regions:q}"
        " --coverage {params.coverage:q} --matrix {output.matrix:q} --stats {output.stats:q} 2> {log:q}"
