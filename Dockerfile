# syntax=docker/dockerfile:1
# The service without its private database: give it CLUSTERWAY_DATABASE_URL, or a volume on /data.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/clusterway
COPY requirements/ requirements/
RUN /opt/clusterway/bin/pip install --no-cache-dir --require-hashes \
    -r requirements/runtime.txt -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY app/ app/
COPY transports/ transports/
COPY alembic/ alembic/
RUN /opt/clusterway/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --home-dir /data clusterway
COPY --from=build /opt/clusterway /opt/clusterway
USER 10001
WORKDIR /data
ENV PATH=/opt/clusterway/bin:$PATH \
    CLUSTERWAY_DATA_FOLDER=/data \
    CLUSTERWAY_HOST=0.0.0.0
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["clusterway", "serve"]
