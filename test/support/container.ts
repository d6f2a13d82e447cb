import { buildImage, docker } from './docker.ts';
import { startProcess, type Running } from './processes.ts';

const IMAGE = 'sentinel-tvm:test';

/** Seconds between SIGTERM and SIGKILL; the TVM ends sooner by itself. */
const STOP_SECONDS = 30;

/** Builds the image of this repository for tests, and gives its name; throws with Docker's last words. */
export function builtImage(): string {
  const { ok, lastWords } = buildImage(IMAGE);
  if (!ok) throw new Error(`the image does not build: ${lastWords}`);
  return IMAGE;
}

let started = 0;

/** A container on the network of this machine, which reaches what tests serve on 127.0.0.1. */
export type Container = Running & {
  /** What `docker inspect` says, by Go's template. */
  readonly inspect: (template: string) => string;
  /** Ends it as `docker stop` does (SIGTERM, SIGKILL after 30 s), unless it has ended, and removes it. */
  readonly close: () => void;
};

/**
 * Runs an image as production should: no root filesystem to write to, no capabilities, 256 MB of memory.
 *
 * @param options more options of `docker run`
 * @param command what follows the image
 */
export function startContainer(
  image: string,
  environment: Readonly<Record<string, string>>,
  { options = [], command = [] }: { readonly options?: readonly string[]; readonly command?: readonly string[] } = {},
): Container {
  started += 1;
  const name = `sentinel-tvm-test-${process.pid}-${started}`;
  // Equal to the memory, `--memory-swap` leaves no swap to hide in.
  const bounded = ['--memory', '256m', '--memory-swap', '256m'];
  const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
  const variables = Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const settings = ['--name', name, '--network', 'host', ...bounded, ...hardened, ...variables, ...options];
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
