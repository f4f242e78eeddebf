"""The custom resource and the operator's configuration as pydantic models; `crds/` is generated from them."""
