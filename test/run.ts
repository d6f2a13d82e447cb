import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { lockfileProblems } from './support/lockfile.ts';

/**
 * `npm test`: every check that can run with Node and npm alone. Each gate counts as one check, each test of vitest as
 * one; the last line on stdout is the sum, and the exit code is 1 if anything failed.
 *
 * `npm run format` comes here with `--fix` and only writes the formatting.
 */
const ROOT = resolve(import.meta.dirname, '..');

type Counts = { passed: number; failed: number; skipped: number };

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs a tool of node_modules under this Node; its output goes where ours goes. */
const runTool = (script: string, args: readonly string[]): boolean =>
  spawnSync(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd: ROOT, stdio: 'inherit' }).status ===
  0;

const gates: readonly (readonly [name: string, check: () => boolean])[] = [
  ['format', () => runTool('oxfmt/bin/oxfmt', ['--check', '.'])],
  ['lint', () => runTool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings'])],
  ['types', () => runTool('typescript/bin/tsc', ['--noEmit'])],
  ['dead code', () => runTool('knip/bin/knip.js', ['--no-progress'])],
  [
    'lockfile',
    () => {
      const problems = lockfileProblems(ROOT);
      for (const problem of problems) say(`  ${problem}`);
      return problems.length === 0;
    },
  ],
];

type Report = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
};

/** Vitest with coverage; its thresholds, and files that fail to load, count as one more check. */
const runTests = (counts: Counts): void => {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
  const file = join(directory, 'report.json');
  const ended = runTool('vitest/vitest.mjs', [
    'run',
    '--coverage',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ]);
  let failed = 0;
  try {
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
    failed = report.numFailedTests;
    counts.passed += report.numPassedTests;
    counts.failed += failed;
    counts.skipped += report.numPendingTests + report.numTodoTests;
  } catch {
    say('  vitest left no report');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const whole = ended || failed > 0;
  say(whole ? 'ok      coverage and test files' : 'FAILED  coverage, or a test file that does not load');
  if (whole) counts.passed += 1;
  else counts.failed += 1;
};

const main = (): number => {
  if (process.argv.includes('--fix')) return runTool('oxfmt/bin/oxfmt', ['.']) ? 0 : 1;
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, check] of gates) {
    const passed = check();
    say(`${passed ? 'ok     ' : 'FAILED '} ${name}`);
    if (passed) counts.passed += 1;
    else counts.failed += 1;
  }
  runTests(counts);
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  say(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  return counts.failed === 0 ? 0 : 1;
};

process.exitCode = main();
