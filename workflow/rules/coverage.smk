rule coverage:
    """Count the alignments of one sample in every region."""
    input:
        script=script("coverage.py"),
        modules=modules(
            "alignments",
            "bam",
            "bamheader",
            "bgzf",
            "counting",
            "filetypes",
            "kernel",
            "overlaps",
            "pysam_counter",
            "regions",
            "tss",
        ),
        regions="results/regions/{region_set}.bed",
        bam=sample_bams,
        optional=optional_inputs,
    output:
        counts="results/coverage/{region_set}/{sample}.npy",
        stats="results/coverage/{region_set}/{sample}.stats.json",
    log:
        "results/logs/coverage/{region_set}/{sample}.log",
    conda:
        "../envs/divvy-coverage.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=counting_minutes,
        pack=jobs_in_a_submission,
    params:
        counting=counting_options(),
    shell:
        "python {input.script:q} --bam {input.bam:q} --regions {input.regions:q} {params.counting} --threads {threads}"
        " --out {output.counts:q} --stats {output.stats:q} 2> {log:q}"
