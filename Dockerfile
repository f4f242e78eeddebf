# The operator, the download step and the init step of serving pods: one image, any uid, read-only root.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}
LABEL org.opencontainers.image.title="inferfleet" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONPATH=/opt/inferfleet PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp

# What the code needs changes seldom: this layer is built once for each requirements file.
COPY requirements/run.txt /tmp/run.txt
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore --require-hashes --no-deps -r /tmp/run.txt \
 && rm /tmp/run.txt \
 && printf '%s\n' '#!/usr/bin/env python3' 'from inferfleet.cli import main' 'main()' > /usr/local/bin/inferfleet \
 && chmod 0755 /usr/local/bin/inferfleet

# The code changes with every commit. Its bytecode is made here, since nothing is written on a read-only root.
COPY --chmod=0755 operator/inferfleet /opt/inferfleet/inferfleet
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/inferfleet

USER 65532:65532
ENTRYPOINT ["inferfleet"]
