import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseCommand, type Command } from './support/command.ts';
import { lockfileProblems } from './support/lockfile.ts';
import { OUTSIDE } from './support/outside.ts';

/**
 * `npm test`: every check that can run with Node and npm alone. Each gate counts as one check, each test of vitest as
 * one; the last line on stdout is the sum, and the exit code is 1 if anything failed.
 *
 * `npm test -- PATH -t NAME` runs some of the tests, `npm run check` (`--check`) the gates alone, `npm run fix`
 * (`--fix`) writes what the linter and the formatter can mend; `npm run test:containers` comes here with
 * `--containers`, `npm run test:url` with `--url`.
 */
const ROOT = resolve(import.meta.dirname, '..');

type Counts = { passed: number; failed: number; skipped: number };

function say(line: string): void {
  return void process.stdout.write(`${line}\n`);
}

/** Runs a tool of node_modules under this Node; its output goes where ours goes. */
function runTool(script: string, args: readonly string[]): boolean {
  return (
    spawnSync(process.execPath, [join(ROOT, 'node_modules', script), ...args], { cwd: ROOT, stdio: 'inherit' })
      .status === 0
  );
}

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

/** Vitest, its tests counted one by one; what is wrong beside them (coverage, a file that does not load) is one more. */
function runTests(counts: Counts, what: string, options: readonly string[]): void {
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-tvm-'));
  const file = join(directory, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const ended = runTool('vitest/vitest.mjs', ['run', ...options, ...reporters]);
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
  say(whole ? `ok      ${what}` : `FAILED  ${what}`);
  if (whole) counts.passed += 1;
  else counts.failed += 1;
}

/** Format, lint, types, dead code, lockfile: what takes seconds. */
function runGates(counts: Counts): void {
  for (const [name, check] of gates) {
    const passed = check();
    say(`${passed ? 'ok     ' : 'FAILED '} ${name}`);
    if (passed) counts.passed += 1;
    else counts.failed += 1;
  }
}

/** Every gate and every test that needs Node and npm alone. */
function runAll(counts: Counts): void {
  runGates(counts);
  runTests(counts, 'coverage, and test files that load', ['--coverage']);
}

/** The tests that somebody named, without coverage. */
function runSome(counts: Counts, { options, byName }: Extract<Command, { kind: 'some' }>): void {
  runTests(counts, 'test files that load', options);
  // Vitest reports every test that the name left out as skipped, and nothing was.
  if (byName) counts.skipped = 0;
  // The files count as one check, and no test at all is what a misspelt name comes to.
  if (counts.failed > 0 || counts.passed > 1 || counts.skipped > 0) return;
  say(`FAILED  no test matches ${options.join(' ')}`);
  counts.passed = 0;
  counts.failed = 1;
}

/** Lets the linter and the formatter write what they can, and says what is left to do by hand. */
function fix(): number {
  const isLinted = runTool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '--fix']);
  const isFormatted = runTool('oxfmt/bin/oxfmt', ['.']);
  return isLinted && isFormatted ? 0 : 1;
}

const RYUK = 'testcontainers/ryuk:0.14.0';

function docker(...args: readonly string[]): boolean {
  return spawnSync('docker', args, { stdio: 'ignore', timeout: 60_000 }).status === 0;
}

/** What needs a container engine: the image by itself, by `docker compose`, and as AWS Lambda runs it. */
function runContainers(counts: Counts): void {
  if (!docker('info') || !docker('compose', 'version')) {
    say('skipped  containers: no Docker engine with compose answers on this machine');
    counts.skipped += 1;
    return;
  }
  if (!docker('image', 'inspect', RYUK) && !docker('pull', '--quiet', RYUK)) {
    say(`${RYUK} is not to be had; containers are removed by the tests themselves`);
    process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  }
  runTests(counts, 'container test files that load', OUTSIDE.containers);
}

function isLoopback(text: string | undefined): text is string {
  return text !== undefined && /^http:\/\/127\.0\.0\.1:\d{1,5}\/?$/u.test(text);
}

/** The conformance suite against a TVM that runs already, and the AWS behind it. */
function runAgainst(counts: Counts, [tvm, aws]: readonly string[]): void {
  if (isLoopback(tvm) && isLoopback(aws)) {
    process.env['CONFORMANCE_URL'] = tvm;
    process.env['CONFORMANCE_AWS_URL'] = aws;
    runTests(counts, 'conformance test files that load', OUTSIDE.running);
    return;
  }
  say('FAILED  usage: npm run test:url -- http://127.0.0.1:8080 http://127.0.0.1:4566 (the TVM, and its AWS)');
  counts.failed += 1;
}

function run(counts: Counts, command: Exclude<Command, { kind: 'fix' }>): void {
  switch (command.kind) {
    case 'all':
      return runAll(counts);
    case 'check':
      return runGates(counts);
    case 'containers':
      return runContainers(counts);
    case 'url':
      return runAgainst(counts, command.addresses);
    case 'some':
      return runSome(counts, command);
    case 'wrong':
      say(`FAILED  ${command.message}`);
      counts.failed += 1;
  }
}

function main(): number {
  const command = parseCommand(process.argv.slice(2));
  if (command.kind === 'fix') return fix();
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  run(counts, command);
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  say(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  return counts.failed === 0 ? 0 : 1;
}

process.exitCode = main();
