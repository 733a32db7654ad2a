"""Modules made from protos/*.proto when the package is built. Only the builders read them."""
