"""A result for people and programs: terminal tables, CSV, HTML.  (JSON is each result's own `to_json`.)"""

from edge.report.answers import answers_facts, answers_text
from edge.report.artifact_lines import SORTS as ARTIFACT_SORTS
from edge.report.artifact_lines import artifact_facts, artifact_text
from edge.report.count_lines import SORTS as COUNT_SORTS
from edge.report.count_lines import counts_text
from edge.report.mlperf_lines import mlperf_text
from edge.report.neurobench_lines import SORTS as NEUROBENCH_SORTS
from edge.report.neurobench_lines import neurobench_text
from edge.report.prediction_lines import prediction_text
from edge.report.profile_lines import profile_text
from edge.report.profile_page import profile_csv, profile_html
from edge.report.spikes_page import spikes_html
from edge.report.verify_lines import verify_text

__all__ = [
    "ARTIFACT_SORTS",
    "COUNT_SORTS",
    "NEUROBENCH_SORTS",
    "answers_facts",
    "answers_text",
    "artifact_facts",
    "artifact_text",
    "counts_text",
    "mlperf_text",
    "neurobench_text",
    "prediction_text",
    "profile_csv",
    "profile_html",
    "profile_text",
    "spikes_html",
    "verify_text",
]
