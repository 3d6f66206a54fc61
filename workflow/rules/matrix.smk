rule summarize_coverage:
    """Summarize the samples and the regions of a region set."""

    # of this depend the counts' matrices, so nothing in it depends on the normalization
    input:
        samples=in_results(names.SAMPLES),
        inputs=in_results(names.INPUTS),
        settings=in_results(names.SETTINGS.format(step="summarize")),
        regions=in_results(names.REGIONS),
        support=support,
        counts=for_each_sample(names.COUNTS),
        evidence=for_each_sample(names.EVIDENCE),
    output:
        stats=report(in_results(names.STATS), category="{region_set}", caption="../report/stats.rst"),
        region_stats=in_results(names.REGION_STATS),
    log:
        in_results("logs/summarize_coverage/{region_set}.log"),
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes_for_all_samples,
    params:
        code=package("scripts/summarize_coverage", "samples", "intervals", "counting", "quality", "matrix"),
        coverage=coverage_folder,
        support=support_option,
        library_size=config["matrix"]["library_size"],
        mitochondrial=mitochondrial_option(),
    shell:
        "python -m divvy_coverage summarize_coverage --samples {input.samples:q} --regions {input.regions:q}"
        " --coverage {params.coverage:q} --inputs {input.inputs:q} {params.support} {params.mitochondrial}"
        " --library-size {params.library_size} --stats {output.stats:q} --region-stats {output.region_stats:q} 2> {log:q}"


rule compare_samples:
    """Compare the samples of a region set: principal components, correlations and clustering."""

    # counts are not inputs, as below
    input:
        samples=in_results(names.SAMPLES),
        inputs=in_results(names.INPUTS),
        settings=in_results(names.SETTINGS.format(step="normalize")),
        regions=in_results(names.REGIONS),
        stats=in_results(names.STATS),
    output:
        pca=in_results(names.PCA),
        correlation=in_results(names.CORRELATION),
        summary=in_results(names.SUMMARY),
    log:
        in_results("logs/compare_samples/{region_set}.log"),
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes_for_all_samples,
    params:
        code=package("scripts/compare_samples", "samples", "intervals", "counting", "quality", "matrix"),
        coverage=coverage_folder,
        normalization=config["matrix"]["normalization"],
        library_size=config["matrix"]["library_size"],
    shell:
        "python -m divvy_coverage compare_samples --samples {input.samples:q} --regions {input.regions:q}"
        " --coverage {params.coverage:q} --inputs {input.inputs:q} --stats {input.stats:q}"
        " --normalization {params.normalization} --library-size {params.library_size} --pca {output.pca:q}"
        " --correlation {output.correlation:q} --summary {output.summary:q} 2> {log:q}"


rule collect_coverage:
    """Collect the counts of all samples, as they are or normalized, into one matrix file."""

    # counts are not inputs: the summary depends on them, and thousands of files would have to be checked
    input:
        samples=in_results(names.SAMPLES),
        inputs=in_results(names.INPUTS),
        settings=settings_of_kind,
        regions=in_results(names.REGIONS),
        stats=in_results(names.STATS),
        region_stats=in_results(names.REGION_STATS),
    output:
        matrix=in_results(names.MATRIX),
    log:
        in_results("logs/collect_coverage/{region_set}.matrix_{kind}.{format}.log"),
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
        code=package("scripts/collect_coverage", "samples", "intervals", "counting", "quality", "matrix"),
        coverage=coverage_folder,
        kind=kind_options,
    shell:
        "python -m divvy_coverage collect_coverage --samples {input.samples:q} --regions {input.regions:q}"
        " --coverage {params.coverage:q} --inputs {input.inputs:q} --stats {input.stats:q}"
        " --region-stats {input.region_stats:q} {params.kind} --out {output.matrix:q} 2> {log:q}"
