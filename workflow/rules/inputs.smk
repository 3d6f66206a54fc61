# What the run is made of: put into the results by local jobs, which have Snakemake's lock. If it is not what is in the
# results already, these jobs are forced (see `plan`).


rule fix_samples:
    """Write the table of samples, in which jobs find the files of each, and that of excluded samples, if any were."""
    input:
        plan=plan,
    output:
        in_results(names.SAMPLES),
    log:
        in_results("logs/fix_samples.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    params:
        name=names.SAMPLES,
        excluded=names.EXCLUDED,
        results=results_folder,
    shell:
        "(cp {resources.plan:q}/{params.name} {output:q} && rm -f {params.results:q}/{params.excluded} &&"
        " if [ -e {resources.plan:q}/{params.excluded} ]; then"
        " cp {resources.plan:q}/{params.excluded} {params.results:q}; fi) 2> {log:q}"


rule fix_inputs:
    """Write what is counted, and the fingerprints of the files of each sample."""
    input:
        plan=plan,
    output:
        in_results(names.INPUTS),
    log:
        in_results("logs/fix_inputs.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    params:
        name=names.INPUTS,
    shell:
        "cp {resources.plan:q}/{params.name} {output:q} 2> {log:q}"


rule fix_settings:
    """Write the settings of a step after counting: results of other settings are told by them."""
    input:
        plan=plan,
    output:
        in_results(names.SETTINGS),
    log:
        in_results("logs/fix_settings/{step}.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    shell:
        "cp {resources.plan:q}/settings/{wildcards.step}.json {output:q} 2> {log:q}"


rule fix_warnings:
    """Write the table of warnings."""
    input:
        plan=plan,
    output:
        in_results(names.WARNINGS),
    log:
        in_results("logs/fix_warnings.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    params:
        name=names.WARNINGS,
    shell:
        "cp {resources.plan:q}/{params.name} {output:q} 2> {log:q}"


rule fix_regions:
    """Write a region set, for jobs and for people."""
    input:
        plan=plan,
    output:
        regions=in_results(names.REGIONS),
        bed=in_results(names.BED),
    log:
        in_results("logs/fix_regions/{region_set}.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    shell:
        "(cp {resources.plan:q}/regions/{wildcards.region_set}.npz {output.regions:q} &&"
        " cp {resources.plan:q}/regions/{wildcards.region_set}.bed {output.bed:q}) 2> {log:q}"


rule fix_support:
    """Write which samples support which region of a consensus."""
    input:
        plan=plan,
    output:
        in_results(names.SUPPORT),
    log:
        in_results("logs/fix_support/{region_set}.log"),
    localrule: True
    conda:
        "../envs/divvy-coverage.yaml"
    resources:
        plan=plan_folder,
    shell:
        "cp {resources.plan:q}/regions/{wildcards.region_set}.support.parquet {output:q} 2> {log:q}"
