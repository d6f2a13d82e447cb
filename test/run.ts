import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseCommand, type Command } from './support/command.ts';
import { lockfileProblems } from './support/lockfile.ts';
import { OUTSIDE } from './support/outside.ts';

/**
 * `npm test`: every check that needs only Node and npm. Each gate counts as one check, and so does
 * each test of vitest; the last line on stdout is the sum, and the exit code is 1 if anything
 * failed.
 *
 * - `npm test -- PATH -t NAME` runs some of the tests.
 * - `npm run check` (`--check`) runs the gates only.
 * - `npm run fix` (`--fix`) writes what the linter and the formatter can fix.
 * - `npm run test:containers` (`--containers`) and `npm run test:url` (`--url`) run what `npm test`
 *   cannot.
 */
const ROOT = resolve(import.meta.dirname, '..');

type Counts = { passed: number; failed: number; skipped: number };

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Runs a tool of node_modules with this Node, on our own stdout and stderr. */
function runTool(script: string, args: readonly string[]): boolean {
  return (
    spawnSync(process.execPath, [join(ROOT, 'node_modules', script), ...args], {
      cwd: ROOT,
      stdio: 'inherit',
    }).status === 0
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

/**
 * Runs vitest and counts its tests one by one. Other errors, such as low coverage, count as one
 * failed check.
 */
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

/** Runs the gates: format, lint, types, dead code and lockfile. They take seconds. */
function runGates(counts: Counts): void {
  for (const [name, check] of gates) {
    const passed = check();
    say(`${passed ? 'ok     ' : 'FAILED '} ${name}`);
    if (passed) counts.passed += 1;
    else counts.failed += 1;
  }
}

/** Runs every gate, and every test that needs only Node and npm. */
function runAll(counts: Counts): void {
  runGates(counts);
  runTests(counts, 'coverage, and test files that load', ['--coverage']);
}

/** Runs the tests that the command names, without coverage. */
function runSome(counts: Counts, { options, byName }: Extract<Command, { kind: 'some' }>): void {
  runTests(counts, 'test files that load', options);
  // Vitest reports the tests that the name leaves out as skipped, but none of them was skipped for
  // a reason.
  if (byName) counts.skipped = 0;
  // The files count as one check, so 1 means that no test ran: the name or the path is probably
  // misspelt.
  if (counts.failed > 0 || counts.passed > 1 || counts.skipped > 0) return;
  say(`FAILED  no test matches ${options.join(' ')}`);
  counts.passed = 0;
  counts.failed = 1;
}

/** Lets the linter and the formatter fix what they can; they report what is left to fix by hand. */
function fix(): number {
  const isLinted = runTool('oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '--fix']);
  const isFormatted = runTool('oxfmt/bin/oxfmt', ['.']);
  return isLinted && isFormatted ? 0 : 1;
}

const RYUK = 'testcontainers/ryuk:0.14.0';

function docker(...args: readonly string[]): boolean {
  return spawnSync('docker', args, { stdio: 'ignore', timeout: 60_000 }).status === 0;
}

/**
 * Runs the tests that need a container engine: of the image alone, by `docker compose`, and as AWS
 * Lambda runs it.
 */
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

/** Runs the conformance suite against a TVM that runs already, and its AWS. */
function runAgainst(counts: Counts, [tvm, aws]: readonly string[]): void {
  if (isLoopback(tvm) && isLoopback(aws)) {
    process.env['CONFORMANCE_URL'] = tvm;
    process.env['CONFORMANCE_AWS_URL'] = aws;
    runTests(counts, 'conformance test files that load', OUTSIDE.running);
    return;
  }
  say(
    'FAILED  usage: npm run test:url -- http://127.0.0.1:8080 http://127.0.0.1:4566 (the TVM, and its AWS)',
  );
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
