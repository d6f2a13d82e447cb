import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ROOT } from '../support/processes.ts';

const IMAGE = 'sentinel-tvm:bench';
const MINUTE = 60_000;

const inMebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(2)} MiB`;

/** What the bundle weighs, in one line. */
export const describeBundle = (file: string): string => {
  const bytes = readFileSync(file);
  return `bundle: ${bytes.length} bytes, ${gzipSync(bytes).length} with gzip`;
};

type Answer = { readonly ok: boolean; readonly text: string; readonly lastWords: string };

const docker = (
  args: readonly string[],
  timeout: number,
  environment: Readonly<Record<string, string>> = {},
): Answer => {
  const { status, stdout, stderr, error } = spawnSync('docker', args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout,
    maxBuffer: 64 << 20,
    env: { ...process.env, ...environment },
  });
  const said = `${stdout ?? ''}\n${stderr ?? ''}`.trim().split('\n').at(-1) ?? '';
  return { ok: status === 0, text: (stdout ?? '').trim(), lastWords: error?.message ?? said };
};

/** Old plugins of BuildKit cannot build this; an engine builds by itself where it is told to. */
const builder = (): Readonly<Record<string, string>> => {
  const [, major, minor] = / v?(\d+)\.(\d+)\.\d+/u.exec(docker(['buildx', 'version'], MINUTE).text) ?? [];
  const builds = Number(major) > 0 || Number(minor) >= 17;
  return { DOCKER_BUILDKIT: builds ? '1' : '0' };
};

const sizeOf = (image: string): number => {
  const { ok, text } = docker(['image', 'inspect', '--format', '{{.Size}}', image], MINUTE);
  return ok ? Number(text) : Number.NaN;
};

/** The image that the runtime is made from: the Dockerfile's last. */
const baseImage = (): string => {
  const froms = [...readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^FROM\s+(\S+)/gmu)];
  return froms.at(-1)?.[1] ?? '';
};

/** What the image weighs beyond the one that it is made from, in one line; why that is not known where it is not. */
export const describeImage = (): string => {
  const engine = docker(['info'], MINUTE);
  if (!engine.ok) return `image: skipped, no Docker engine answers (${engine.lastWords})`;
  // The network of the host, as in compose.yaml.
  const built = docker(['build', '--network', 'host', '--tag', IMAGE, '.'], 20 * MINUTE, builder());
  if (!built.ok) return `image: skipped, it does not build here (${built.lastWords})`;
  const base = baseImage();
  // BuildKit keeps the base to itself.
  if (Number.isNaN(sizeOf(base))) docker(['pull', '--quiet', base], 10 * MINUTE);
  const [whole, below] = [sizeOf(IMAGE), sizeOf(base)];
  if (Number.isNaN(below)) return `image: ${inMebibytes(whole)}; its base ${base} is not here to compare it with`;
  return `image: ${inMebibytes(whole - below)} beyond its base (${inMebibytes(whole)} − ${inMebibytes(below)} of ${base})`;
};
