"""Runs the image as a cluster would, by podman."""
