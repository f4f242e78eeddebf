"""One pure profile per model server: argv, ports, probes, drain, shared memory and what a repository must hold."""
