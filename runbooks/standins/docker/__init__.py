"""The stand-ins for docker and for Docker Compose, on the client of the Engine API."""
