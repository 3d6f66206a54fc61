rule record_run:
    """Record what the results were made from, with which command, and when."""
    input:
        samples=in_results(names.SAMPLES),
        inputs=in_results(names.INPUTS),
        regions=for_each_region_set(names.REGIONS),
        stats=for_each_region_set(names.STATS),
    output:
        in_results(names.PROVENANCE),
    log:
        in_results("logs/record_run.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    params:
        code=package("scripts/record_run", "intervals", "counting"),
        config=json.dumps(config, sort_keys=True),
    shell:
        "python -m divvy_coverage record_run --config {params.config:q} --samples {input.samples:q}"
        " --inputs {input.inputs:q} --regions {input.regions:q} --out {output:q} 2> {log:q}"


rule make_report:
    """Make the report, its figures, and the content for MultiQC."""
    input:
        samples=in_results(names.SAMPLES),
        warnings=in_results(names.WARNINGS),
        provenance=in_results(names.PROVENANCE),
        matrix=for_each_region_set(
            names.STATS,
            names.REGION_STATS,
            names.PCA,
            names.CORRELATION,
            names.SUMMARY,
        ),
    output:
        page=report(in_results(names.REPORT), category="report", caption="../report/report.rst"),
        pictures=report(
            directory(in_results(names.PICTURES)),
            patterns=["{region_set}.{picture}.svg"],
            category="{region_set}",
            caption="../report/picture.rst",
        ),
        multiqc=directory(in_results(names.MULTIQC)),
    log:
        in_results("logs/make_report.log"),
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=package("scripts/make_report", "samples", "intervals", "counting", "quality", "report"),
        results=results_folder,
        region_sets=" ".join(config["regions"]),
        label=shlex.quote(config["samples"]["label"]),
    shell:
        "python -m divvy_coverage make_report --results {params.results:q} --region-sets {params.region_sets}"
        " --label {params.label} --out {output.page:q} --pictures {output.pictures:q} --multiqc {output.multiqc:q}"
        " 2> {log:q}"
