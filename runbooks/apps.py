from django.apps import AppConfig


class RunbooksConfig(AppConfig):
    name = "runbooks"

    def ready(self) -> None:
        # Models exist only once the apps are loaded.
        from erpops import sse
        from erpops.setup import steps
        from runbooks import bootstrap, output, variables
        from runbooks.executors import executors, shell

        steps.add("runbooks", bootstrap.prepare)
        sse.feeds.add("run", output.RunFeed())
        variables.providers.add("console", variables.of_the_console)
        for kind in shell.KINDS:
            executors.add(kind, shell.launch)
