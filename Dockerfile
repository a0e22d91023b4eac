# One image that is complete on its own: the server, PostgreSQL as its child process, and ONNX Runtime for scoring.
#
#   docker build -t crm .
#   docker run -p 8080:8080 -v crm-data:/data crm                # first start creates the cluster in /data
#   docker run --rm -v crm-data:/data crm doctor                 # any other command
#   docker run -e CRM_DATABASE_URL=… -e CRM_SECRET_KEY=… crm     # outside database: /data then holds only files
#
# glibc is needed by ONNX Runtime and PostgreSQL, so the base is slim Debian, not Alpine or distroless. Build and final
# stage share the release, because the binary is linked against the builder's glibc.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -buildvcs=false -o /crm ./cmd/crm

# The shared library, packed from npm and never installed: the package's install script would download more. Version
# and digest are those of ./dev.
FROM node:22-bookworm-slim AS onnxruntime
WORKDIR /ort
RUN npm pack --silent --ignore-scripts onnxruntime-node@1.27.0 \
 && echo "c3779c01c59832f8c03e2c392ac3af10bf08579f1822e8b1c63cc451edb302a2  onnxruntime-node-1.27.0.tgz" | sha256sum -c - \
 && case "$(dpkg --print-architecture)" in amd64) arch=x64 ;; arm64) arch=arm64 ;; *) exit 1 ;; esac \
 && tar -xzf onnxruntime-node-1.27.0.tgz --no-same-owner --strip-components=5 \
        "package/bin/napi-v6/linux/$arch/libonnxruntime.so.1" \
 && rm onnxruntime-node-1.27.0.tgz

FROM debian:bookworm-slim
# The package would create a cluster in the image; the server creates its own in /data.
RUN mkdir -p /etc/postgresql-common/createcluster.d \
 && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/crm.conf \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        postgresql-15 libstdc++6 ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin crm \
 && install -d -o crm -g crm -m 0700 /data
COPY --from=onnxruntime /ort/libonnxruntime.so.1 /usr/local/lib/crm/libonnxruntime.so.1
COPY --from=build /crm /usr/local/bin/crm

USER crm
ENV CRM_DATA_DIR=/data \
    CRM_ADDR=0.0.0.0:8080 \
    CRM_ONNXRUNTIME_LIB=/usr/local/lib/crm/libonnxruntime.so.1
VOLUME /data
EXPOSE 8080
# The server needs time to stop its database: give `docker stop -t 30`, or stop_grace_period in a compose file.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["crm", "doctor", "--quick"]
ENTRYPOINT ["crm"]
CMD ["serve"]
