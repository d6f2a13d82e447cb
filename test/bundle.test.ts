import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildBundle } from '../.scripts/build.ts';
import { ROOT } from './support/processes.ts';

/**
 * What goes into the image: the server and what it needs, in one file, without the embedded AWS.
 */
const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
const file = join(directory, 'main.mjs');
let modules: readonly string[] = [];

beforeAll(async () => {
  modules = (await buildBundle(file)).map((id) => relative(ROOT, id));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('the bundle', () => {
  it('contains the server', () => {
    expect(modules).toContain(join('src', 'main.ts'));
    expect(modules).toContain(join('src', 'sigv4', 'verify.ts'));
  });

  it('contains nothing of the embedded AWS, of the tests or of development packages', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    // The SDK itself consists of these two, which the tests also use as a client that signs.
    const shared = ['@aws-crypto/sha256-js', '@smithy/signature-v4'];
    const unwanted = Object.keys(devDependencies).filter((name) => !shared.includes(name));
    const folders = [
      join('src', 'local'),
      'test',
      ...unwanted.map((name) => join('node_modules', name)),
    ];
    expect(modules.filter((id) => folders.some((folder) => id.startsWith(`${folder}/`)))).toEqual(
      [],
    );
  });

  it('has its source map beside it, and is smaller than a megabyte and a quarter', () => {
    expect(readFileSync(file, 'utf8')).toMatch(/\/\/# sourceMappingURL=main\.mjs\.map\s*$/u);
    expect(statSync(`${file}.map`).size).toBeGreaterThan(1_000);
    expect(statSync(file).size).toBeLessThan(1_250_000);
  });
});
