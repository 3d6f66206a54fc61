rule report:
    """Draw the report of the whole cohort, pictures of it, and its content for MultiQC."""
    input:
        script=script("report.py"),
        modules=modules(
            "charts",
            "counting",
            "multiqc_content",
            "regions",
            "report_colours",
            "report_data",
            "report_page",
            "report_samples",
            "report_sections",
            "report_table",
            "samples",
            "tss",
        ),
        template=script("report.html.j2"),
        samples=SAMPLE_TABLE,
        warnings="results/warnings.txt",
        excluded=excluded_samples,
        matrix=of_each_region_set(
            "results/matrix/{region_set}.stats.tsv",
            "results/matrix/{region_set}.region_stats.tsv.gz",
            "results/matrix/{region_set}.pca.tsv",
            "results/matrix/{region_set}.correlation.tsv",
            "results/matrix/{region_set}.summary.json",
        ),
    output:
        page=report("results/report.html", category="report", caption="../report/report.rst"),
        pictures=report(
            directory("results/report"),
            patterns=["{region_set}.{picture}.svg"],
            category="{region_set}",
            caption="../report/picture.rst",
        ),
        multiqc=directory("results/multiqc"),
    log:
        "results/logs/report.log",
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        region_sets=" ".join(config["regions"]),
        title=shlex.quote(config["samples"]["title"]),
    shell:
        "python {input.script:q} --results results --region-sets {params.region_sets} --title {params.title}"
        " --out {output.page:q} --pictures {output.pictures:q} --multiqc {output.multiqc:q} 2> {log:q}"
