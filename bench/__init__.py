"""Benchmarks of negforge against its peers: ratios taken in one run, on the same texts, each measure in a process of its own."""
