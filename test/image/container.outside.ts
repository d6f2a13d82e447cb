import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vend } from '../bench/start.ts';
import { builtImage, startContainer, type Container } from '../support/container.ts';
import { docker } from '../support/docker.ts';
import { freePort, tvmVariables, untilHealthy } from '../support/processes.ts';
import { startDesk, type Desk } from '../support/tvm.ts';

/**
 * Enough that a leak would show: before its memory was bounded, a process held 285 MB after this
 * many.
 */
const VENDS = 20_000;
const CONCURRENCY = 16;

describe('the image', () => {
  let image: string;
  let desk: Desk;
  beforeAll(async () => {
    image = builtImage();
    desk = await startDesk();
  });
  afterAll(async () => {
    await desk.close();
  });

  /** The output of a script that runs in the image in place of the TVM. */
  function inside(script: string): string {
    const answer = docker(['run', '--rm', '--entrypoint', '/nodejs/bin/node', image, '-e', script]);
    if (!answer.ok) throw new Error(answer.lastWords);
    return answer.text;
  }

  async function using(
    run: (port: number, container: Container) => Promise<void>,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const port = await freePort();
    const environment = { ...tvmVariables(port, desk.url), METRICS_PORT: 'off', ...variables };
    const container = startContainer(image, environment);
    try {
      await untilHealthy(`http://127.0.0.1:${port}/healthz`, container);
      await run(port, container);
    } finally {
      container.close();
    }
  }

  it('names a user that is not root', () => {
    const user = docker(['image', 'inspect', '--format', '{{.Config.User}}', image]).text;
    expect(user).toMatch(/^(?:nonroot|[1-9]\d*)(?::(?:nonroot|[1-9]\d*))?$/u);
  });

  it('runs as a user that is not root', () => {
    expect(inside('console.log(`${process.getuid()} ${process.getgid()}`)')).toMatch(
      /^[1-9]\d* [1-9]\d*$/u,
    );
  });

  it('has no shell, no package manager and no downloader in any directory', () => {
    const names = [
      'sh',
      'bash',
      'dash',
      'ash',
      'busybox',
      'npm',
      'npx',
      'corepack',
      'yarn',
      'apt-get',
      'dpkg',
      'curl',
      'wget',
    ];
    const walk = `
      const names = new Set(${JSON.stringify(names)}), found = [];
      const walk = (at) => {
        for (const entry of fs.readdirSync(at || '/', { withFileTypes: true })) {
          const path = at + '/' + entry.name;
          if (entry.isDirectory() && !['/proc', '/sys', '/dev'].includes(path)) walk(path);
          else if (!entry.isDirectory() && names.has(entry.name)) found.push(path);
        }
      };
      walk('');
      console.log(JSON.stringify(found));`;
    expect(inside(walk)).toBe('[]');
  });

  it('has the Lambda Web Adapter, and nothing else, where Lambda looks for extensions', () => {
    expect(inside('console.log(fs.readdirSync("/opt/extensions").join())')).toBe('lambda-adapter');
  });

  it('holds the bundle, its map and its cache, and nothing else of the build', () => {
    expect(inside('console.log(fs.readdirSync("/app").sort().join())')).toBe(
      'cache,main.mjs,main.mjs.map',
    );
  });

  it('vends on a read-only root file system', async () => {
    await using(async (port, { inspect }) => {
      expect(await vend(port)).toBe(200);
      expect(inspect('{{.HostConfig.ReadonlyRootfs}}')).toBe('true');
    });
  });

  it('exits with 0 on SIGTERM', async () => {
    await using(async (port, { child, close }) => {
      expect(await vend(port)).toBe(200);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      close();
      expect(await ended).toBe(0);
    });
  });

  it('stays within 256 MB during 20,000 vends', async () => {
    await using(
      async (port, { inspect }) => {
        let begun = 0;
        const others: number[] = [];
        async function work(): Promise<void> {
          while (begun < VENDS) {
            begun += 1;
            const status = await vend(port);
            if (status !== 200) others.push(status);
          }
        }
        await Promise.all(Array.from({ length: CONCURRENCY }, work));
        // On a busy machine the audit log may be read late, and then the TVM vends nothing.
        expect(others.filter((status) => status !== 503)).toEqual([]);
        expect(others.length).toBeLessThan(VENDS / 100);
        const state = inspect('{{.State.Running}} {{.State.OOMKilled}} {{.HostConfig.Memory}}');
        expect(state).toBe(`true false ${256 * 1024 ** 2}`);
      },
      { SENTINEL_RATE_LIMIT_REQUESTS: '1000000', SENTINEL_LOG_LEVEL: 'error' },
    );
  }, 300_000);
});
