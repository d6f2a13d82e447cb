ARG LWA_VERSION=0.9.1
FROM public.ecr.aws/awsguru/aws-lambda-adapter:${LWA_VERSION} AS adapter

# The build stage has the sources and all dependencies: `docker compose` runs the seed from it.
FROM public.ecr.aws/docker/library/node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# This image brings Node 24 itself, so no package's install script is needed.
RUN npm ci --ignore-scripts
COPY . .
RUN node .scripts/build.ts

# The Node that will run compiles the bundle, at the path where it will run.
FROM gcr.io/distroless/nodejs24-debian12:nonroot AS warm
USER 0
COPY --from=build /app /build
WORKDIR /app
COPY --from=build /app/dist/main.mjs /app/dist/main.mjs.map ./
RUN ["/nodejs/bin/node", "/build/.scripts/warm.ts", "/app/cache", "--enable-source-maps", "main.mjs"]

# The runtime has Node, the bundle, its map and its compile cache: no shell, no npm, no root, nothing to write.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
# AWS Lambda starts what lies in /opt/extensions; elsewhere nothing does.
COPY --from=adapter /lambda-adapter /opt/extensions/lambda-adapter
WORKDIR /app
COPY --from=warm /app ./
# The adapter asks /healthz before it hands over the first request, and goes on asking when 10 s of init were not enough.
# Versions before 1.0 know the first name of what is unhealthy, later ones the second.
ENV NODE_COMPILE_CACHE=/app/cache \
    AWS_LWA_READINESS_CHECK_PATH=/healthz \
    AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS=300 \
    AWS_LWA_READINESS_CHECK_HEALTHY_STATUS=200-299 \
    AWS_LWA_ASYNC_INIT=true
EXPOSE 8080
CMD ["--enable-source-maps", "main.mjs"]
