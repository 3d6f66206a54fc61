rule measure_coverage:
    """Count the alignments of one sample in every region."""
    input:
        regions=in_results(names.REGIONS),
        bam=sample_bams,
        optional=optional_inputs,
    output:
        counts=in_results(names.COUNTS),
        stats=in_results(names.STATISTICS),
    log:
        in_results("logs/measure_coverage/{region_set}/{sample}.log"),
    conda:
        "../envs/divvy-coverage.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=counting_minutes,
        pack=jobs_in_a_submission,
    params:
        code=package("scripts/measure_coverage", "intervals", "alignments", "counting"),
        counting=counting_options(),
    shell:
        "python -m divvy_coverage measure_coverage --bam {input.bam:q} --regions {input.regions:q} {params.counting}"
        " --threads {threads} --out {output.counts:q} --stats {output.stats:q} 2> {log:q}"
