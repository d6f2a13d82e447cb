import { spawnSync } from 'node:child_process';
import { ROOT } from './processes.ts';

const MINUTE = 60_000;

/** How long a build may take on a machine that has no layer of it yet. */
const BUILD = 10 * MINUTE;

/** The result of a Docker command. */
export type DockerAnswer = {
  readonly ok: boolean;
  /** Its stdout, without white space around it. */
  readonly text: string;
  /** The last line of its output, or why it could not be run. */
  readonly lastWords: string;
};

/**
 * Runs `docker` in the repository.
 *
 * @param timeout milliseconds after which it is killed; by default a minute
 */
export function docker(args: readonly string[], timeout = MINUTE): DockerAnswer {
  const options = { cwd: ROOT, encoding: 'utf8', timeout, maxBuffer: 64 << 20 } as const;
  const { status, stdout, stderr, error } = spawnSync('docker', args, options);
  const said = `${stdout ?? ''}\n${stderr ?? ''}`.trim().split('\n').at(-1) ?? '';
  return { ok: status === 0, text: (stdout ?? '').trim(), lastWords: error?.message ?? said };
}

/** Builds the image of this repository, on the host's network as compose.yaml does. */
export function buildImage(tag: string): DockerAnswer {
  return docker(['build', '--network', 'host', '--tag', tag, '.'], BUILD);
}
