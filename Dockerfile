# The image runs one process of the console; docker-compose.yml starts one container for each.
# PostgreSQL and Valkey are not in it: DATABASE_URL and REDIS_URL name them.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS assets
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev --no-audit --no-fund
# As bin/setup.py does: the one file that pages use, without the reference to its map.
RUN mkdir vendor && sed 's:/\*# sourceMappingURL=[^*]*\*/::' \
    node_modules/@tabler/core/dist/css/tabler.min.css > vendor/tabler.min.css

FROM ${PYTHON_IMAGE} AS packages
WORKDIR /src
COPY requirements-uv.lock requirements-server.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
    && uv venv /opt/venv \
    && uv pip sync --no-cache --require-hashes --no-build --python /opt/venv/bin/python requirements-server.lock

FROM ${PYTHON_IMAGE}
# psql and redis-cli for the runbooks that work on the console's own database and broker.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client redis-tools \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /data erpops
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
COPY --from=assets /src/vendor static/vendor
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ERPOPS_DATA=/data ERPOPS_STATIC_ROOT=/app/staticfiles
# Collected here, so that no container has to. The running user may do it again: layers that travelled
# through a registry can carry other file times than the ones that were compared.
RUN ERPOPS_SECRET_KEY=build ERPOPS_DATA=/tmp/build DJANGO_SETTINGS_MODULE=erpops.settings \
    python -c "import django; django.setup(); from erpops.static_files import collect; collect()" \
    && rm -rf /tmp/build && chown -R erpops:erpops staticfiles /data
# Compiled once: the stand-ins start anew for each docker and kubectl command, as a user who can keep nothing here.
RUN PYTHONDONTWRITEBYTECODE= python -c "import runbooks.standins.docker.compose, runbooks.standins.docker.program, \
    runbooks.standins.kubectl.program"
USER erpops
VOLUME /data
EXPOSE 8000
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
