# The site as an image: the program, the CA certificates it trusts, and an empty folder
# for its data. No shell, no root user; the root file system may be read-only.
#
#     docker build -t tokentube .
#     docker run -p 127.0.0.1:8000:8000 -v tokentube:/data --read-only --env-file .env tokentube
#
# That .env must not set APP_ENV, HOST, PORT or DATA_DIR, as a copy of .env.example does: they would
# replace those of the image.

FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY utils/nomsgpack utils/nomsgpack
COPY utils/noquic utils/noquic
RUN go mod download
# Listed one by one, so that no data and no .env from this folder ends up in the image.
COPY main.go ./
COPY commands commands
COPY config config
COPY controllers controllers
COPY docs docs
COPY middlewares middlewares
COPY models models
COPY routes routes
COPY static static
COPY templates templates
COPY utils utils
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/tokentube . && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tokentube /tokentube
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# TMPDIR: with a bucket, uploaded pictures wait there. The image has no /tmp, and its root may be read-only.
ENV APP_ENV=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/data TMPDIR=/data LOG_FORMAT=json
VOLUME ["/data"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s --retries=3 CMD ["/tokentube", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/tokentube"]
