"""Runs the functions of `sessioncache.maintenance` as arq jobs; it decides when they run and nothing else."""
