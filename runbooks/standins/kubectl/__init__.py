"""The stand-in for kubectl, on the Python client of Kubernetes."""
