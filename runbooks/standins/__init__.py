"""Small programs called `docker`, `docker-compose`, `kubectl` and `redis-cli`, for workers that lack the real ones.

Runbooks hold shell text with pipes and loops, so what speaks to an engine or a cluster must be a program on the
command's PATH. A stand-in understands the subcommands that runbooks use and speaks through the Python clients;
anything else ends with exit status 64 and one sentence, before anything has happened. Nothing here knows Django.
"""
