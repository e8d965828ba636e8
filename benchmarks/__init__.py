"""prodserve beside other servers, measured in one run: ``python -m benchmarks``; README.md says how."""
