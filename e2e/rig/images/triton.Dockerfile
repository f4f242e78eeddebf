# Stands in for nvcr.io/nvidia/tritonserver on a machine that reaches package registries only: the same server
# with its Python backend, out of a wheel, where NVIDIA's image has it. Pods run it with the same argv, as any
# user, on a read-only root with a writable /tmp and /dev/shm.
ARG BASE=registry.rig.local/python:3.11-slim
FROM ${BASE}

RUN apt-get update -q \
 && apt-get install -yq --no-install-recommends libgomp1 libpython3.11 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin

# numpy below 2: with a newer one the server is ready and every inference fails.
RUN printf '%s\n' \
    'numpy==1.26.4 --hash=sha256:666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5' \
    'nvidia-pytriton==0.7.0 --hash=sha256:21f063ff93bb426d0c06b7a55e7eb9efcfe62c0dddd9a908e9877e18710128df' \
    'xllamacpp==2026.10.11549 --hash=sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261' \
    > /tmp/requirements.txt \
 && pip install -q --no-cache-dir --no-compile --no-deps --require-hashes -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt

# The stub links against libpython and the server against the wheel's libraries; ldconfig spares LD_LIBRARY_PATH.
RUN set -e; \
    site=$(python3 -c 'import pathlib, xllamacpp; print(pathlib.Path(xllamacpp.__file__).parents[1])'); \
    wheel=$site/pytriton/tritonserver; \
    backend=/opt/tritonserver/backends/python; \
    mkdir -p "$backend" /opt/tritonserver/bin; \
    mv "$wheel"/backends/python/* "$backend/"; \
    mv "$wheel/python_backend_stubs/3.11/triton_python_backend_stub" "$backend/"; \
    mv "$wheel/bin/tritonserver" /opt/tritonserver/bin/; \
    chmod 0755 "$backend/triton_python_backend_stub" /opt/tritonserver/bin/tritonserver; \
    echo "$site/nvidia_pytriton.libs" > /etc/ld.so.conf.d/tritonserver.conf; \
    ldconfig; \
    rm -rf "$site/pytriton" "$site/numpy/tests"; \
    useradd --uid 1000 --no-create-home triton-server

ENV PATH=/opt/tritonserver/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER 1000
EXPOSE 8000 8001 8002
