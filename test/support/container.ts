import { buildImage, docker } from './docker.ts';
import { startProcess, type Running } from './processes.ts';

const IMAGE = 'sentinel-tvm:test';

/** Seconds between SIGTERM and SIGKILL. The TVM ends sooner by itself. */
const STOP_SECONDS = 30;

/**
 * Builds the image of this repository for tests, and gives its name; throws with the last line of
 * Docker's output.
 */
export function builtImage(): string {
  const { ok, lastWords } = buildImage(IMAGE);
  if (!ok) throw new Error(`the image does not build: ${lastWords}`);
  return IMAGE;
}

let started = 0;

/** A container on the host's network, so that it reaches what tests serve on 127.0.0.1. */
export type Container = Running & {
  /** The output of `docker inspect` with a Go template. */
  readonly inspect: (template: string) => string;
  /** Stops it as `docker stop` does (SIGTERM, then SIGKILL after 30 s), and removes it. */
  readonly close: () => void;
};

/**
 * Runs an image as production should: read-only root file system, no capabilities, 256 MB of
 * memory.
 *
 * @param options more options of `docker run`
 * @param command the arguments after the image
 */
export function startContainer(
  image: string,
  environment: Readonly<Record<string, string>>,
  {
    options = [],
    command = [],
  }: { readonly options?: readonly string[]; readonly command?: readonly string[] } = {},
): Container {
  started += 1;
  const name = `sentinel-tvm-test-${process.pid}-${started}`;
  // With `--memory-swap` equal to the memory, the container has no swap.
  const bounded = ['--memory', '256m', '--memory-swap', '256m'];
  const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
  const variables = Object.entries(environment).flatMap(([key, value]) => [
    '--env',
    `${key}=${value}`,
  ]);
  const settings = [
    '--name',
    name,
    '--network',
    'host',
    ...bounded,
    ...hardened,
    ...variables,
    ...options,
  ];
  const running = startProcess('docker', ['run', ...settings, image, ...command], {});
  function inspect(template: string): string {
    return docker(['inspect', '--format', template, name]).text;
  }
  function close(): void {
    docker(['stop', '--time', `${STOP_SECONDS}`, name]);
    docker(['rm', '--force', name]);
  }
  return { ...running, inspect, close };
}
