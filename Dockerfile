# The build stage has the sources and all dependencies: `docker compose` runs the seed from it.
FROM public.ecr.aws/docker/library/node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# This image brings Node 24 itself, so no package's install script is needed.
RUN npm ci --ignore-scripts
COPY . .
RUN node .scripts/build.ts

# The runtime has Node, the bundle and its map: no shell, no npm, no root, nothing to write.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY --from=build /app/dist/main.mjs /app/dist/main.mjs.map ./
EXPOSE 8080
CMD ["--enable-source-maps", "main.mjs"]
