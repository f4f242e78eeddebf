# The operator, the download step and the init step of serving pods: one image, any uid, read-only root.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/opt/inferfleet
COPY requirements/run.txt /tmp/run.txt
RUN python3 -m pip install --no-cache-dir --require-hashes --no-deps -r /tmp/run.txt && rm /tmp/run.txt
COPY operator/ /opt/inferfleet/
RUN python3 -m compileall -q -j 2 /opt/inferfleet && chmod -R a+rX /opt/inferfleet
USER 65532:65532
ENTRYPOINT ["python3", "-m", "inferfleet"]
