import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseCommand } from './support/command.ts';

const ROOT = resolve(import.meta.dirname, '..');

describe('parseCommand', () => {
  it('runs everything when nothing is asked for', () => {
    expect(parseCommand([])).toEqual({ kind: 'all' });
  });

  it.each([
    [['test/lib'], ['test/lib'], false],
    [['test/lib', 'test/policy'], ['test/lib', 'test/policy'], false],
    [['test/lib', '-t', 'two words'], ['test/lib', '--testNamePattern', 'two words'], true],
    [['-t', '-1'], ['--testNamePattern', '-1'], true],
  ])('runs some tests for %j', (args, options, byName) => {
    expect(parseCommand(args)).toEqual({ kind: 'some', options, byName });
  });

  it('knows the commands of package.json, and takes only addresses after them', () => {
    expect(parseCommand(['--check'])).toEqual({ kind: 'check' });
    expect(parseCommand(['--fix'])).toEqual({ kind: 'fix' });
    expect(parseCommand(['--containers'])).toEqual({ kind: 'containers' });
    expect(parseCommand(['--url', 'a', 'b'])).toEqual({ kind: 'url', addresses: ['a', 'b'] });
    expect(parseCommand(['--fix', 'test/lib'])).toEqual({
      kind: 'wrong',
      message: '--fix takes nothing more',
    });
  });

  it.each([
    [['--chek'], '--chek is not known here'],
    [['test/lib', '--fix'], '--fix is not known here'],
    [['constructor', '--url'], '--url is not known here'],
    [['test/lib', '-t'], '-t needs a name'],
    [['-t', ''], '-t needs a name'],
    [['test/image/container.outside.ts'], 'npm run test:containers'],
  ])('refuses %j with a sentence', (args, message) => {
    const command = parseCommand(args);
    expect(command.kind).toBe('wrong');
    expect(command).toHaveProperty('message', expect.stringContaining(message));
  });
});

describe('npm test -- PATH -t NAME', () => {
  function run(...args: readonly string[]): {
    readonly status: number | null;
    readonly lines: readonly string[];
  } {
    const { status, stdout } = spawnSync(process.execPath, ['test/run.ts', ...args], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 25_000,
    });
    return { status, lines: stdout.trimEnd().split('\n') };
  }

  it('runs the tests with this name in this file, and ends with the sum', () => {
    const { status, lines } = run('test/run.test.ts', '-t', 'runs everything when nothing');
    expect(lines.slice(-2)).toEqual(['ok      test files that load', '2 passed, 0 failed']);
    expect(status).toBe(0);
  });

  it('fails when no test has this name', () => {
    const { status, lines } = run('test/run.test.ts', '-t', 'no such name');
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(status).toBe(1);
  });

  it('fails when no file has this path', () => {
    const { status, lines } = run('test/no-such-room');
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(status).toBe(1);
  });

  it('fails for an unknown option, and runs nothing', () => {
    const { status, lines } = run('--fixx');
    expect(lines).toEqual([
      'FAILED  --fixx is not known here; usage: npm test -- [PATH…] [-t NAME]',
      '0 passed, 1 failed',
    ]);
    expect(status).toBe(1);
  });
});

describe('package.json', () => {
  const { scripts } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };

  it('starts every script with .scripts/enter.mjs, which installs what is missing and finds Node 24', () => {
    for (const [name, command] of Object.entries(scripts))
      expect(command, name).toMatch(/^node \.scripts\/enter\.mjs \S/u);
  });

  it('has scripts with the names that a newcomer guesses', () => {
    expect(Object.keys(scripts)).toEqual(
      expect.arrayContaining(['start', 'test', 'check', 'fix', 'watch', 'build']),
    );
  });

  it('has the same major version of Node as .nvmrc', () => {
    const { devDependencies } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Readonly<Record<string, string>>;
    };
    const major = readFileSync(resolve(ROOT, '.nvmrc'), 'utf8').trim();
    expect(devDependencies['node']?.split('.')[0]).toBe(major);
  });
});
