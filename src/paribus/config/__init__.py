"""The config tree and the jobs that Hydra composes from it; nothing here imports torch."""
