rule summarize:
    """Summarize the samples and the regions of a region set, and how alike samples are."""
    input:
        script=script("summarize.py"),
        modules=modules("cohort", "counting", "factors", "normalization", "regions", "samples", "similarity"),
        samples=SAMPLE_TABLE,
        regions="results/regions/{region_set}.bed",
        support=support,
        counts=collected("npy"),
        stats=collected("stats.json"),
    output:
        stats=report("results/matrix/{region_set}.stats.tsv", category="{region_set}", caption="../report/stats.rst"),
        region_stats="results/matrix/{region_set}.region_stats.tsv.gz",
        pca="results/matrix/{region_set}.pca.tsv",
        correlation="results/matrix/{region_set}.correlation.tsv",
        summary="results/matrix/{region_set}.summary.json",
    log:
        "results/logs/summarize/{region_set}.log",
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes_for_all_samples,
    params:
        coverage=coverage_folder,
        support=support_option,
        normalization=config["matrix"]["normalization"],
        library_size=config["matrix"]["library_size"],
    shell:
        "python {input.script:q} --samples {input.samples:q} --regions {input.regions:q} --coverage {params.coverage:q}"
        " {params.support} --normalization {params.normalization} --library-size {params.library_size}"
        " --stats {output.stats:q} --region-stats {output.region_stats:q} --pca {output.pca:q}"
        " --correlation {output.correlation:q} --summary {output.summary:q} 2> {log:q}"


rule collect:
    """Collect the counts of all samples, as they are or normalised, into one matrix file."""

    # the coverage is not an input: its summary is, and thousands of files more would have to be looked at
    input:
        script=script("collect.py"),
        modules=modules("cohort", "counting", "factors", "formats", "normalization", "regions", "samples"),
        samples=SAMPLE_TABLE,
        regions="results/regions/{region_set}.bed",
        stats="results/matrix/{region_set}.stats.tsv",
        region_stats="results/matrix/{region_set}.region_stats.tsv.gz",
    output:
        matrix="results/matrix/{region_set}.matrix_{kind}.{format}",
    log:
        "results/logs/collect/{region_set}.matrix_{kind}.{format}.log",
    wildcard_constraints:
        kind="raw|norm",
        format=r"csv\.gz|parquet|h5ad|mtx\.gz",
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes_for_all_samples,
        pack=matrices_in_a_submission,
    params:
        coverage=coverage_folder,
        kind=kind_options,
        provenance=PROVENANCE,
    shell:
        "python {input.script:q} --samples {input.samples:q} --regions {input.regions:q} --coverage {params.coverage:q}"
        " --stats {input.stats:q} --region-stats {input.region_stats:q} {params.kind}"
        " --provenance {params.provenance:q} --out {output.matrix:q} 2> {log:q}"
