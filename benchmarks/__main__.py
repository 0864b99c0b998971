"""`make bench`: the table of what is promised about speed.

Absolute figures depend on the machine and the minute; the ratio to the raw limit of the same run is what counts.
"""

from functools import partial

import django

from benchmarks.rig import HEADER, Rig


def main() -> None:
    """Measure everything and print the table."""
    print(HEADER, flush=True)
    with Rig() as rig:
        django.setup()
        # These read settings when they are imported, which exist only now.
        from benchmarks import alerts, documents, first_byte, pages, redaction, viewer, viewers
        from incidents import sources

        _, token = sources.create(name="Benchmark", kind="generic")
        rig.serve()
        for measure in (
            documents.measure,
            redaction.measure,
            partial(pages.measure, rig),
            partial(alerts.measure, rig, token),
            partial(viewers.measure, rig),
            partial(first_byte.measure, rig),
            partial(viewer.measure, rig),
        ):
            for row in measure():
                print(row, flush=True)


if __name__ == "__main__":
    main()
