rule measure_coverage:
    """Count the alignments of one sample in every region of all region sets, in one pass over its files."""
    input:
        plan=plan,
        samples=only_before(names.SAMPLES),
        inputs=only_before(names.INPUTS),
        regions=only_before(names.REGIONS),
        bam=sample_files("files"),
        peaks=sample_files("peaks"),
        optional=optional_inputs,
    output:
        counts=for_each_region_set(names.COUNTS),
        evidence=in_results(names.EVIDENCE),
    log:
        in_results("logs/measure_coverage/{sample}.log"),
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
        fingerprints=fingerprints,
        peaks=peaks_option,
    # preflight has decided what to do about regions on contigs that a header lacks
    shell:
        "python -m divvy_coverage measure_coverage --bam {input.bam:q} --regions {input.regions:q} {params.peaks}"
        " {params.counting} --fingerprints {params.fingerprints} --absent-contigs zero --threads {threads}"
        " --out {output.counts:q} --stats {output.evidence:q} 2> {log:q}"
