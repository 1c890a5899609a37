"""A result for people and programs: terminal tables, CSV, HTML.  (JSON is each result's own `to_json`.)"""

from edge.report.inspection import artifact_facts, artifact_text
from edge.report.pages import profile_csv, profile_html
from edge.report.profiles import profile_text
from edge.report.verification import verify_text

__all__ = ["artifact_facts", "artifact_text", "profile_csv", "profile_html", "profile_text", "verify_text"]
