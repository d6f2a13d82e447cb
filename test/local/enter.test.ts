import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ENTER = resolve(import.meta.dirname, '../../.scripts/enter.mjs');

type Packages = { readonly packages: Record<string, object> };
const {
  mismatch,
}: { mismatch: (lock: Packages, installed: Packages | undefined) => string | undefined } =
  await import(pathToFileURL(ENTER).href);

function installed(more: Record<string, object>): Packages {
  return { packages: more };
}

describe('mismatch', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0', optional: true },
    },
  };

  it('finds nothing if all required packages are installed', () => {
    expect(mismatch(lock, installed({ 'node_modules/a': { version: '1.0.0' } }))).toBeUndefined();
    expect(mismatch(lock, lock)).toBeUndefined();
  });

  it.each([
    ['nothing installed', undefined, 'node_modules is missing'],
    ['a package missing', installed({}), 'node_modules/a is missing'],
    [
      'another version',
      installed({ 'node_modules/a': { version: '1.0.1' } }),
      'node_modules/a is 1.0.1 instead of 1.0.0',
    ],
    [
      'another version of something optional',
      installed({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1' } }),
      'node_modules/b is 1 instead of 2.0.0',
    ],
  ])('finds %s', (_what, there, why) => {
    expect(mismatch(lock, there)).toBe(why);
  });
});

describe('the entry script', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'enter-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function enter(source: string, ...args: readonly string[]) {
    const script = join(directory, 'script.ts');
    await writeFile(script, source);
    return spawn(process.execPath, [ENTER, script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: directory,
    });
  }

  it('runs TypeScript with Node 24 in the project, with its tools on the PATH, arguments and exit code', async () => {
    const child = await enter(
      `const path: string = process.env['PATH'] ?? process.env['Path'] ?? '';
       console.log(JSON.stringify([process.version, process.cwd(), path, process.argv.slice(2)]));
       process.exit(7);`,
      'one',
      'two words',
    );
    const chunks = child.stdout.toArray();
    expect(await once(child, 'exit')).toEqual([7, null]);
    const [version, cwd, path, args] = JSON.parse(Buffer.concat(await chunks).toString());
    expect(version).toMatch(/^v2[4-9]\./u);
    expect(cwd).toBe(resolve(ENTER, '../..'));
    expect(path.startsWith(join(cwd, 'node_modules', '.bin'))).toBe(true);
    expect(args).toEqual(['one', 'two words']);
  });

  it.skipIf(process.platform === 'win32')(
    'passes a signal on, and exits as the script exits',
    async () => {
      const child = await enter(
        `process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up');`,
      );
      await once(child.stdout, 'data');
      child.kill('SIGTERM');
      expect(await once(child, 'exit')).toEqual([5, null]);
    },
  );

  it.skipIf(process.platform === 'win32')(
    'exits with 128 plus the signal that ended the script',
    async () => {
      const child = await enter(
        `process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000);`,
      );
      expect(await once(child, 'exit')).toEqual([143, null]);
    },
  );
});
