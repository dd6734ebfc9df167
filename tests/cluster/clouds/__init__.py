"""The journeys over clouds. A package for pytest, so that a cloud is taken down after its last test and not with the cluster."""
