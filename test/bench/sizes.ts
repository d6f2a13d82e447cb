import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildImage, docker } from '../support/docker.ts';
import { ROOT } from '../support/processes.ts';

const IMAGE = 'sentinel-tvm:bench';
const MINUTE = 60_000;

function inMebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(2)} MiB`;
}

/** The size of the bundle, in one line. */
export function describeBundle(file: string): string {
  const bytes = readFileSync(file);
  return `bundle: ${bytes.length} bytes, ${gzipSync(bytes).length} with gzip`;
}

function sizeOf(image: string): number {
  const { ok, text } = docker(['image', 'inspect', '--format', '{{.Size}}', image]);
  return ok ? Number(text) : Number.NaN;
}

/** The base image of the final image: the last one that the Dockerfile names. */
function baseImage(): string {
  const froms = [...readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM\s+(\S+)/gmu)];
  return froms.at(-1)?.[1] ?? '';
}

/** How much the image adds to its base, in one line, or why that cannot be measured here. */
export function describeImage(): string {
  const engine = docker(['info']);
  if (!engine.ok) return `image: skipped, no Docker engine answers (${engine.lastWords})`;
  const built = buildImage(IMAGE);
  if (!built.ok) return `image: skipped, it does not build here (${built.lastWords})`;
  const base = baseImage();
  // BuildKit does not list the base among the images, so pull it to learn its size.
  if (Number.isNaN(sizeOf(base))) docker(['pull', '--quiet', base], 10 * MINUTE);
  const [whole, below] = [sizeOf(IMAGE), sizeOf(base)];
  if (Number.isNaN(below))
    return `image: ${inMebibytes(whole)}; its base ${base} is not here to compare it with`;
  return `image: ${inMebibytes(whole - below)} beyond its base (${inMebibytes(whole)} − ${inMebibytes(below)} of ${base})`;
}
