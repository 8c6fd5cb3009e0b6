"""The report of a campaign: one HTML file without script, for doctors, engineers and reviewers.

Everything in it is read from the record; nothing is trained. Whatever rests on phantom films or simulated readers says
so, and what is still blind stays blind.
"""

from pipelines.report.page import write_report

__all__ = ["write_report"]
